"""What a decision's events are recorded with: who caused them, and what they belong to."""

from collections.abc import Sequence
from typing import cast
from uuid import UUID

from eventsourcing.domain import AggregateEvent
from pydantic_core import to_json

from domain.mapper import EventMapper
from infra.engine.requests import Caller
from infra.log.append import NewEvent


def new_events(
    events: Sequence[AggregateEvent], mapper: EventMapper, caller: Caller, command_id: UUID
) -> tuple[NewEvent, ...]:
    """Writes events for the log.

    Args:
        events: in their order.
        mapper: writes them.
        caller: who caused them.
        command_id: of the command that did.
    """
    metadata: dict[str, object] = {
        "actor": caller.actor,
        "request_id": caller.request_id,
        "correlation_id": caller.request_id,
        "causation_id": command_id,
        "traceparent": caller.traceparent,
    }
    if caller.impersonator is not None:
        metadata["impersonator"] = caller.impersonator
    written = to_json(metadata).decode()
    stored = [mapper.to_stored_event(event) for event in events]
    return tuple(
        [
            NewEvent(
                cast("UUID", event.originator_id),
                event.originator_version,
                event.topic,
                event.state.decode(),
                written,
            )
            for event in stored
        ]
    )
