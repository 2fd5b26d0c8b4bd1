"""From a refusal to what is kept of it: what was wanted, and who was in the way."""

from datetime import datetime

from domain.booking import Booking
from domain.commands import Book, Lapse, Reschedule, ResourceCommand
from domain.errors import Conflict, SlotTaken
from domain.ids import BookingId, ResourceId
from infra.engine.decision import Decision
from infra.engine.requests import Aggregate, Command, Refused
from infra.engine.unit import Unit
from infra.engine.view import View
from infra.identity import new_id
from infra.refusals.refusal import MOST_BLOCKING, REASON_OF, RefusedCommand

_Wanted = tuple[tuple[ResourceId, ...], datetime | None, datetime | None]


def is_kept(unit: Unit, refused: Refused) -> bool:
    """Tells whether a refusal is one to keep: a rule of the domain refused, just now.

    Args:
        unit: what was asked.
        refused: why not.
    """
    command = unit.requests[refused.culprit].command
    return (
        type(refused.error) in REASON_OF and not refused.replayed and not isinstance(command, Lapse)
    )


def refused_command(
    unit: Unit, decision: Decision, view: View, refused: Refused, now: datetime
) -> RefusedCommand:
    """Tells what of a refusal is kept.

    Args:
        unit: what was asked.
        decision: what became of it; the things as they would have been, if the log refused.
        view: on what it was decided.
        refused: why, and for which request; `is_kept`.
        now: the moment, in UTC.
    """
    command = unit.requests[refused.culprit].command
    resource_ids, start_time, end_time = _wanted(command, _thing(unit, decision, view, refused))
    return RefusedCommand(
        tenant_id=unit.caller.tenant_id,
        refusal_id=new_id(),
        refused_at=now,
        reason=REASON_OF[type(refused.error)],
        command=_name(command),
        booking_id=None if isinstance(command, ResourceCommand) else command.booking_id,
        resource_ids=resource_ids,
        start_time=start_time,
        end_time=end_time,
        blocking_ids=_blocking(refused),
        actor=unit.caller.actor,
        request_id=unit.caller.request_id,
        conflicts=_conflicts(refused)[:MOST_BLOCKING],
    )


def _thing(unit: Unit, decision: Decision, view: View, refused: Refused) -> Aggregate | None:
    if decision.aggregates:
        return decision.aggregates[refused.culprit]
    loaded = view.loaded.get(unit.stream_ids[refused.culprit])
    return None if loaded is None else loaded.aggregate


def _wanted(command: Command, thing: Aggregate | None) -> _Wanted:
    if isinstance(command, ResourceCommand):
        return (command.resource_id,), None, None
    if isinstance(command, Book):
        return command.resource_ids, command.period.start, command.period.end
    if not isinstance(thing, Booking):
        return (), None, None
    if isinstance(command, Reschedule):
        return (
            command.resource_ids or thing.resource_ids,
            command.start_time or thing.start_time,
            command.end_time or thing.end_time,
        )
    return thing.resource_ids, thing.start_time, thing.end_time


def _name(command: Command) -> str:
    """Names it as `POST /v1/commands` does; a resource can only be refused to be retired."""
    return "retire" if isinstance(command, ResourceCommand) else type(command).__name__.lower()


def _blocking(refused: Refused) -> tuple[BookingId, ...]:
    in_the_way = dict.fromkeys(conflict.booking_id for conflict in _conflicts(refused))
    return tuple(in_the_way)[:MOST_BLOCKING]


def _conflicts(refused: Refused) -> tuple[Conflict, ...]:
    return refused.error.conflicts if isinstance(refused.error, SlotTaken) else ()
