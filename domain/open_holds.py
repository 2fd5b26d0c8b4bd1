"""What events do to the open holds: those that a ceiling on hoarding counts.

Like the claims (`claims.py`), they depend on nothing but the events, and change with them.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from eventsourcing.domain import CanMutateAggregate

from domain.booking_events import Amended, Confirmed, HoldLapsed, HoldPlaced, Released
from domain.customer import SealedCustomer
from domain.ids import BookingId


@dataclass(frozen=True)
class OpenHold:
    """A hold that was not confirmed, released or recorded as lapsed: a row in `open_hold`.

    Attributes:
        booking_id: which booking it is.
        customer_key_id: the key that its customer is sealed with, one for each customer of a
            tenant; None where it is for nobody.
        hold_expires_at: when it lapses, in UTC; None lasts until released.
    """

    booking_id: BookingId
    customer_key_id: UUID | None
    hold_expires_at: datetime | None


@dataclass(frozen=True)
class Reassignment:
    """A booking that is for another customer now; where it is a hold, its row says so."""

    booking_id: BookingId
    customer_key_id: UUID | None


@dataclass(frozen=True)
class HoldChanges:
    """What to do to the open holds, in this order; each in the order of the events.

    Attributes:
        closed: the bookings that are open holds no more.
        opened: the holds that come.
        reassigned: the bookings whose customer is another.
    """

    closed: tuple[BookingId, ...] = ()
    opened: tuple[OpenHold, ...] = ()
    reassigned: tuple[Reassignment, ...] = ()

    def __bool__(self) -> bool:
        """Tell whether there is anything to do."""
        return bool(self.closed or self.opened or self.reassigned)


NO_HOLD_CHANGES = HoldChanges()


def holds_from(events: Iterable[CanMutateAggregate[UUID]]) -> HoldChanges:
    """Tell the net effect of new events on the open holds.

    Args:
        events: of any number of bookings and resources, those of each in their order.

    Returns:
        what is left to do when all of them have happened. A hold placed by these same events is
        never closed or reassigned, for it has no row yet.
    """
    closed: dict[BookingId, None] = {}
    opened: dict[BookingId, OpenHold] = {}
    reassigned: dict[BookingId, Reassignment] = {}
    for event in events:
        match event:
            case HoldPlaced():
                booking_id = BookingId(event.originator_id)
                key_id = _key_of(event.customer)
                opened[booking_id] = OpenHold(booking_id, key_id, event.hold_expires_at)
            case Confirmed() | Released() | HoldLapsed():
                booking_id = BookingId(event.originator_id)
                reassigned.pop(booking_id, None)
                if opened.pop(booking_id, None) is None:
                    closed[booking_id] = None
            case Amended(changes={"customer": customer}):
                booking_id = BookingId(event.originator_id)
                key_id = _key_of(customer)
                if booking_id in opened:
                    opened[booking_id] = replace(opened[booking_id], customer_key_id=key_id)
                elif booking_id not in closed:
                    reassigned[booking_id] = Reassignment(booking_id, key_id)
            case _:
                pass  # nothing else makes a hold, ends one, or names a customer
    if not (closed or opened or reassigned):
        return NO_HOLD_CHANGES
    return HoldChanges(tuple(closed), tuple(opened.values()), tuple(reassigned.values()))


def _key_of(customer: SealedCustomer | None) -> UUID | None:
    return None if customer is None else customer.key_id
