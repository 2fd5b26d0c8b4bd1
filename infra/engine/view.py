"""What a command is decided on: the things it concerns, and the time."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple
from uuid import UUID

from eventsourcing.persistence import StoredEvent

from domain.forgetting import ForgottenCustomer
from domain.mapper import EventMapper, fold
from infra.engine.requests import Accepted, Aggregate
from infra.log.reader import RecordedEvent


@dataclass(frozen=True, slots=True)
class Loaded:
    """A thing folded from its events.

    Attributes:
        aggregate: the booking or resource; deciding changes it, so each decision loads its own.
        position: of its last event.
    """

    aggregate: Aggregate
    position: int


_NOTHING: Mapping[UUID, Loaded] = MappingProxyType({})


class View(NamedTuple):
    """One look at a tenant's log.

    Attributes:
        now: the time to decide by.
        head: where the log ended.
        loaded: what was read; a stream without events is not there.
        fresh: whether it was read just now. A view that was not may accept a command, since the log
            checks what was expected, but never refuse one.
    """

    now: datetime
    head: int = 0
    loaded: Mapping[UUID, Loaded] = _NOTHING
    fresh: bool = False


def restore(mapper: EventMapper, events: Iterable[RecordedEvent]) -> Loaded | None:
    """Folds a stream.

    Args:
        mapper: reads events of every version.
        events: from the stream's first on, in order.

    Returns:
        The thing as its events tell it; None when there are none, or when they are of a customer
        who was forgotten: nothing can be asked of those.
    """
    recorded = list(events)
    aggregate = fold(
        mapper.to_domain_event(
            StoredEvent(event.stream_id, event.version, event.topic, event.state.encode()),
            event.recorded_at,
        )
        for event in recorded
    )
    if aggregate is None or isinstance(aggregate, ForgottenCustomer):
        return None
    return Loaded(aggregate, recorded[-1].seq)


def as_found(loaded: Loaded, as_of: int, *, replayed: bool = False) -> Accepted:
    """Answers a thing as its events left it.

    Args:
        loaded: the thing.
        as_of: the position of the log at which it is so.
        replayed: whether this is the first answer to a key that came again.
    """
    return Accepted(
        aggregate=loaded.aggregate,
        customer=None,
        position=loaded.position,
        created_at=loaded.aggregate.created_on,
        updated_at=loaded.aggregate.modified_on,
        as_of=as_of,
        replayed=replayed,
    )
