"""What can happen to a booking, and what follows from it.

An event only assigns. It is applied again whenever the booking is loaded, so a rule in here,
tightened later, would make old bookings unreadable; the rules stand in `booking.py`.

The topics are the log's names for these classes and never change. A class that gains a field gets
the next `class_version` and a step that brings older states up to it.
"""

from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from eventsourcing.domain import Aggregate
from pydantic import JsonValue

# Pydantic reads typing's own TypedDict from Python 3.12 on only.
from typing_extensions import TypedDict

from domain.customer import SealedCustomer
from domain.ids import ResourceId
from domain.status import ClaimStatus

if TYPE_CHECKING:
    from domain.booking import Booking


class Details(TypedDict):
    """What of a booking claims nothing."""

    title: str
    customer: SealedCustomer | None
    notes: str | None
    reference: str | None
    attributes: dict[str, JsonValue]


class DetailChanges(TypedDict, total=False):
    """What of the details becomes what; what is absent stays as it is."""

    title: str
    customer: SealedCustomer | None
    notes: str | None
    reference: str | None
    attributes: dict[str, JsonValue]


class BookingEvent(Aggregate.Event):
    """Something that happened to a booking; all its times are in UTC."""

    TOPIC: ClassVar[str]
    class_version: ClassVar[int] = 1


class BookingCreated(BookingEvent, Aggregate.Created):
    """What both ways to begin a booking have in common; never recorded itself."""

    TOPIC = "booking.created"
    resource_ids: tuple[ResourceId, ...]
    start_time: datetime
    end_time: datetime
    title: str
    customer: SealedCustomer | None
    notes: str | None
    reference: str | None
    attributes: dict[str, JsonValue]


class HoldPlaced(BookingCreated):
    """The resources were claimed tentatively; without an expiry, until released."""

    TOPIC = "booking.hold_placed"
    hold_expires_at: datetime | None

    def apply(self, aggregate: "Booking") -> None:
        """Begin as a hold."""
        aggregate.status = "held"
        aggregate.hold_expires_at = self.hold_expires_at


class Booked(BookingCreated):
    """The resources were claimed definitely, without a hold before."""

    TOPIC = "booking.booked"

    def apply(self, aggregate: "Booking") -> None:
        """Begin as confirmed."""
        aggregate.status = "confirmed"
        aggregate.hold_expires_at = None


class StepWithReason(BookingEvent):
    """A step that somebody took for a reason, or for none that was given."""

    class_version = 2
    reason: str | None

    @staticmethod
    def upcast_v1_v2(state: dict[str, JsonValue]) -> None:
        """Version 1 of these steps had no fields."""
        state["reason"] = None


class Confirmed(StepWithReason):
    """The hold became definite."""

    TOPIC = "booking.confirmed"

    def apply(self, aggregate: "Booking") -> None:
        """Keep the claim, which no longer expires."""
        aggregate.status = "confirmed"
        aggregate.hold_expires_at = None


class Released(StepWithReason):
    """The hold was given up."""

    TOPIC = "booking.released"

    def apply(self, aggregate: "Booking") -> None:
        """Claim nothing any more."""
        aggregate.status = "released"


class Cancelled(StepWithReason):
    """The confirmed booking was given up."""

    TOPIC = "booking.cancelled"

    def apply(self, aggregate: "Booking") -> None:
        """Claim nothing any more."""
        aggregate.status = "cancelled"


class HoldLapsed(BookingEvent):
    """The hold passed its expiry, and note was taken of it."""

    TOPIC = "booking.hold_lapsed"

    def apply(self, aggregate: "Booking") -> None:
        """Claim nothing any more."""
        aggregate.status = "lapsed"


class Rescheduled(BookingEvent):
    """The booking moved; status and expiry are repeated, so that its new claim is told whole."""

    TOPIC = "booking.rescheduled"
    resource_ids: tuple[ResourceId, ...]
    start_time: datetime
    end_time: datetime
    status: ClaimStatus
    hold_expires_at: datetime | None

    def apply(self, aggregate: "Booking") -> None:
        """Claim this instead."""
        aggregate.resource_ids = self.resource_ids
        aggregate.start_time = self.start_time
        aggregate.end_time = self.end_time
        aggregate.status = self.status
        aggregate.hold_expires_at = self.hold_expires_at


class Amended(BookingEvent):
    """What claims nothing was changed; only what differs is named."""

    TOPIC = "booking.amended"
    changes: DetailChanges

    def apply(self, aggregate: "Booking") -> None:
        """Take over what is named."""
        for name, value in self.changes.items():
            setattr(aggregate, name, value)
        if "customer" in self.changes:
            aggregate.customer_version = self.originator_version
