"""What a unit of requests comes to, on its way to the log and after it."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from domain.errors import DomainError
from infra.engine.requests import Aggregate
from infra.errors import EngineError
from infra.log.append import AppendCommand, Outcome
from infra.log.reader import RecordedEvent


class Decision(NamedTuple):
    """What a unit of requests comes to.

    Attributes:
        append: for the log to apply; None where there is nothing to apply and no key to keep.
        aggregates: the things after it, one for each request.
        own_events: where the last event of each stream that has one stands, counted back from the
            decision's last (0 is the last, -1 the one before).
        error: what the domain refused; then nothing is applied.
        culprit: the place of the request it was refused for.
    """

    append: AppendCommand | None
    aggregates: Sequence[Aggregate]
    own_events: Mapping[UUID, int]
    error: DomainError | EngineError | None = None
    culprit: int = 0


def recorded(decision: Decision, outcome: Outcome) -> list[RecordedEvent]:
    """Tells how a decision's events stand in the log now.

    Args:
        decision: as it was made.
        outcome: accepted, and not one that came again.
    """
    if decision.append is None or outcome.last_seq is None:
        return []
    events = decision.append.events
    return [
        RecordedEvent(
            seq=seq,
            stream_id=event.stream_id,
            version=event.version,
            topic=event.topic,
            state=event.state,
            metadata=event.metadata,
            recorded_at=outcome.decided_at,
        )
        for seq, event in enumerate(events, start=outcome.last_seq - len(events) + 1)
    ]
