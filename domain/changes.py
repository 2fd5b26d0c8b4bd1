"""What an event changed of the thing that it happened to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from eventsourcing.domain import CanInitAggregate, CanMutateAggregate
from pydantic_core import to_json

from domain.booking import Booking
from domain.booking_events import StepWithReason
from domain.customer_events import Forgotten
from domain.forgetting import ForgottenCustomer
from domain.mapper import EVENTS, Folded
from domain.resource import Resource

FIELDS: Mapping[type[Folded], Sequence[str]] = {
    Booking: (
        "status",
        "title",
        "resource_ids",
        "start_time",
        "end_time",
        "hold_expires_at",
        "customer",
        "notes",
        "reference",
        "attributes",
    ),
    Resource: ("name", "kind", "timezone", "attributes", "retired"),
    ForgottenCustomer: (),
}
"""The facts of each kind of thing, in the order in which they are told."""


@dataclass(frozen=True, slots=True)
class Change:
    """One fact that became another.

    Attributes:
        field: what it is called.
        before: what it was; None where it was nothing.
        after: what it is from here on; None where it is nothing any more.
    """

    field: str
    before: object
    after: object


@dataclass(frozen=True, slots=True)
class Step:
    """One event in the life of a thing.

    Attributes:
        thing: what it has become; the next step changes it in place.
        changes: what that changed, in the order in which a booking or resource is told.
        reason: the one that was given, if any.
    """

    thing: Folded
    changes: tuple[Change, ...]
    reason: str | None


class OutOfPlace(Exception):
    """An event does not go on from what it is said to happen to."""


def step(thing: Folded | None, event: CanMutateAggregate[UUID]) -> Step:
    """Let an event happen, and tell what it changed.

    Args:
        thing: what it happens to, which is altered; None for a first event.
        event: the next one of its stream.

    Raises:
        OutOfPlace: it begins what has begun, happens to what has not or is of another kind, or
            has another version than the next.
    """
    happens = isinstance(event, CanInitAggregate) if thing is None else _goes_on(thing, event)
    if not happens:
        raise OutOfPlace
    before = _facts(thing)
    after = event.mutate(thing)
    if not isinstance(after, Folded):
        raise TypeError(f"{type(after).__name__} is not an aggregate of this domain")
    return Step(
        thing=after,
        changes=tuple(
            Change(name, before.get(name), fact)
            for name, fact in _facts(after).items()
            # As they would be written: 1 and True are one to Python, and two in JSON.
            if to_json(before.get(name)) != to_json(fact)
        ),
        reason=event.reason if isinstance(event, StepWithReason | Forgotten) else None,
    )


def _goes_on(thing: Folded, event: CanMutateAggregate[UUID]) -> bool:
    return (
        isinstance(event, EVENTS[type(thing)])
        and not isinstance(event, CanInitAggregate)
        and (event.originator_id, event.originator_version) == (thing.id, thing.version + 1)
    )


def _facts(thing: Folded | None) -> dict[str, object]:
    return {} if thing is None else {name: getattr(thing, name) for name in FIELDS[type(thing)]}
