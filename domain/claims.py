"""What events do to the reservations: the one projection that is applied with the events.

It depends on nothing but the events, so that the reservations can be rebuilt from the log, and so
that a decision needs no look at them (docs/decisions/0001-events-carry-the-whole-claim.md).
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from eventsourcing.domain import CanMutateAggregate

from domain.booking_events import (
    Amended,
    Booked,
    Cancelled,
    Confirmed,
    HoldLapsed,
    HoldPlaced,
    Released,
    Rescheduled,
)
from domain.customer_events import CustomerEvent
from domain.ids import BookingId, ResourceId
from domain.resource_events import ResourceEvent
from domain.status import ClaimStatus


@dataclass(frozen=True, slots=True)
class Claim:
    """One resource claimed by one booking: a row in `reservation`.

    Attributes:
        resource_id: what is claimed.
        booking_id: which booking claims it.
        start_time: from when, in UTC.
        end_time: until just before when, in UTC.
        status: whether it is held or confirmed.
        hold_expires_at: when the hold lapses, in UTC; None lasts until released.
    """

    resource_id: ResourceId
    booking_id: BookingId
    start_time: datetime
    end_time: datetime
    status: ClaimStatus
    hold_expires_at: datetime | None


class ReservationChanges(NamedTuple):
    """What to do to the reservations, in this order; each in the order of the events.

    Attributes:
        vacated: the bookings all of whose claims go.
        claimed: the claims that come.
        confirmed: the bookings whose claims stay, as confirmed and without expiry.
    """

    vacated: tuple[BookingId, ...]
    claimed: tuple[Claim, ...]
    confirmed: tuple[BookingId, ...]


_WITHOUT_CLAIMS = (ResourceEvent, CustomerEvent)


def claims_from(events: Iterable[CanMutateAggregate[UUID]]) -> ReservationChanges:
    """Tell the net effect of new events on the reservations.

    Args:
        events: of any number of bookings and resources, those of each in their order.

    Returns:
        what is left to do when all of them have happened. A booking made by these same events is
        never vacated, for it has no claims to remove yet.

    Raises:
        TypeError: an event that this projection does not know.
    """
    effects: dict[BookingId, _Effect] = {}
    for event in events:
        if not isinstance(event, _WITHOUT_CLAIMS):
            effects.setdefault(BookingId(event.originator_id), _Effect()).follow(event)
    vacated: list[BookingId] = []
    claimed: list[Claim] = []
    confirmed: list[BookingId] = []
    for booking, effect in effects.items():
        if effect.vacates:
            vacated.append(booking)
        claimed += effect.claims
        if effect.confirms:
            confirmed.append(booking)
    return ReservationChanges(tuple(vacated), tuple(claimed), tuple(confirmed))


@dataclass
class _Effect:
    """What the events so far do to one booking's claims."""

    made_here: bool = False
    vacates: bool = False
    confirms: bool = False
    claims: tuple[Claim, ...] = ()

    def follow(self, event: CanMutateAggregate[UUID]) -> None:
        match event:
            case HoldPlaced():
                self.made_here = True
                self.claims = _claims_of(event, "held", event.hold_expires_at)
            case Booked():
                self.made_here = True
                self.claims = _claims_of(event, "confirmed", None)
            case Rescheduled():
                self._vacate()
                self.claims = _claims_of(event, event.status, event.hold_expires_at)
            case Confirmed():
                self.claims = tuple(
                    replace(claim, status="confirmed", hold_expires_at=None)
                    for claim in self.claims
                )
                self.confirms = not self.claims
            case Released() | Cancelled() | HoldLapsed():
                self._vacate()
            case Amended():
                pass
            case _:
                raise TypeError(f"{type(event).__name__} is not known to the reservations")

    def _vacate(self) -> None:
        self.vacates = not self.made_here
        self.confirms = False
        self.claims = ()


def _claims_of(
    event: HoldPlaced | Booked | Rescheduled,
    status: ClaimStatus,
    hold_expires_at: datetime | None,
) -> tuple[Claim, ...]:
    return tuple(
        Claim(
            resource_id=resource_id,
            booking_id=BookingId(event.originator_id),
            start_time=event.start_time,
            end_time=event.end_time,
            status=status,
            hold_expires_at=hold_expires_at,
        )
        for resource_id in event.resource_ids
    )
