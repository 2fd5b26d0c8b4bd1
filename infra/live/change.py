"""One event, as those are told of it who follow the log: what it made of what it happened to.

A `LiveChange` depends on nothing but the events of its stream, so that every process tells the same
of the same event. It carries no personal data: who a booking is for is asked for with a request.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from domain.booking import Booking
from domain.booking_events import Amended
from domain.forgetting import ForgottenCustomer
from domain.ids import BookingId, ResourceId
from domain.mapper import Folded
from domain.period import Period
from domain.resource import Resource
from domain.status import BookingStatus

EVERY_CUSTOMER = UUID(int=0)
"""Stands among what a change has touched where a customer was forgotten: whatever shows personal
data is not the same from there on."""


@dataclass(frozen=True, slots=True)
class Room:
    """Whom a change is told: all of a tenant, or those who look at one resource or booking.

    Attributes:
        kind: which of the three.
        id: the tenant's, resource's or booking's.
    """

    kind: Literal["tenant", "resource", "booking"]
    id: UUID


@dataclass(frozen=True, slots=True)
class BookingFacts:
    """A booking after a change, as `domain.booking.Booking` has it."""

    id: BookingId
    status: BookingStatus
    title: str
    resource_ids: tuple[ResourceId, ...]
    start_time: datetime
    end_time: datetime
    hold_expires_at: datetime | None
    reference: str | None
    version: int


@dataclass(frozen=True, slots=True)
class ResourceFacts:
    """A resource after a change, as `domain.resource.Resource` has it."""

    id: ResourceId
    name: str
    kind: str
    timezone: str
    retired: bool
    version: int


@dataclass(frozen=True, slots=True)
class AvailabilityChange:
    """What a change took of a resource, and what it set free.

    Attributes:
        resource_id: of which.
        taken: periods that are claimed from here on and were not before.
        freed: periods that were claimed before and are not any more.
    """

    resource_id: ResourceId
    taken: tuple[Period, ...]
    freed: tuple[Period, ...]


@dataclass(frozen=True, slots=True)
class LiveChange:
    """One event, as those are told of it who follow the log.

    Attributes:
        position: of the event.
        topic: of the event.
        time: when it was recorded, in UTC.
        actor: who asked for it.
        booking: that it happened to, after it; None where it happened to something else.
        resource: the same of a resource.
        availability: what it took and set free.
        rooms: who is told.
        touched: what is not the same any more: the stream itself, and the resources of which
            something is shown differently.
    """

    position: int
    topic: str
    time: datetime
    actor: str
    booking: BookingFacts | None
    resource: ResourceFacts | None
    availability: tuple[AvailabilityChange, ...]
    rooms: frozenset[Room]
    touched: frozenset[UUID]


Claims = Mapping[ResourceId, Period]
"""What a booking claims: the same period of each resource."""


def claims_of(thing: Folded | None) -> Claims:
    """Tell what a booking claims.

    Args:
        thing: a booking; whatever else it is claims nothing.
    """
    if not isinstance(thing, Booking) or thing.status not in ("held", "confirmed"):
        return {}
    period = Period(thing.start_time, thing.end_time)
    return dict.fromkeys(thing.resource_ids, period)


def availability_changes(before: Claims, after: Claims) -> tuple[AvailabilityChange, ...]:
    """Tell what was taken and what was set free.

    Args:
        before: what was claimed.
        after: what is claimed now.
    """
    resources = dict.fromkeys([*before, *after])
    return tuple(
        AvailabilityChange(
            resource_id,
            taken=_without(after.get(resource_id), before.get(resource_id)),
            freed=_without(before.get(resource_id), after.get(resource_id)),
        )
        for resource_id in resources
        if before.get(resource_id) != after.get(resource_id)
    )


def _without(period: Period | None, other: Period | None) -> tuple[Period, ...]:
    """Take one period away from another: what is left is none, one or two."""
    if period is None:
        return ()
    if other is None or other.end <= period.start or period.end <= other.start:
        return (period,)
    left = [
        (period.start, min(period.end, other.start)),
        (max(period.start, other.end), period.end),
    ]
    return tuple(Period(start, end) for start, end in left if start < end)


def booking_facts(booking: Booking) -> BookingFacts:
    """Keep what is told of a booking, which the next event alters.

    Args:
        booking: as it is now.
    """
    return BookingFacts(
        id=BookingId(booking.id),
        status=booking.status,
        title=booking.title,
        resource_ids=booking.resource_ids,
        start_time=booking.start_time,
        end_time=booking.end_time,
        hold_expires_at=booking.hold_expires_at,
        reference=booking.reference,
        version=booking.version,
    )


def resource_facts(resource: Resource) -> ResourceFacts:
    """Keep what is told of a resource, which the next event alters.

    Args:
        resource: as it is now.
    """
    return ResourceFacts(
        id=ResourceId(resource.id),
        name=resource.name,
        kind=resource.kind,
        timezone=resource.timezone,
        retired=resource.retired,
        version=resource.version,
    )


def rooms_of(tenant_id: UUID, thing: Folded, resources: Iterable[ResourceId]) -> frozenset[Room]:
    """Tell who is told of what happened to a thing.

    Args:
        tenant_id: whose it is.
        thing: what it happened to.
        resources: that a booking named before or names after.
    """
    rooms = [Room("tenant", tenant_id)]
    if isinstance(thing, Booking):
        rooms.append(Room("booking", thing.id))
        rooms.extend(Room("resource", resource_id) for resource_id in resources)
    elif isinstance(thing, Resource):
        rooms.append(Room("resource", thing.id))
    return frozenset(rooms)


def touched_by(event: object, thing: Folded, resources: Sequence[ResourceId]) -> frozenset[UUID]:
    """Tell what is not the same any more.

    Args:
        event: what happened; calendars show nothing of what amends a booking.
        thing: what it happened to.
        resources: that a booking named before or names after.
    """
    if isinstance(thing, ForgottenCustomer):
        return frozenset({thing.id, EVERY_CUSTOMER})
    if isinstance(event, Amended):
        return frozenset({thing.id})
    return frozenset({thing.id, *resources})
