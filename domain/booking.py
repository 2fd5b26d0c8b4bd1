"""A booking: one claim on one or more resources for one period, and the rules it lives by.

Every method checks its rules and raises, or records what happened; it takes `now`, the moment of
the decision, since the domain has no clock. What an event changes stands in `booking_events.py`.
"""

from datetime import UTC, datetime
from typing import Self

from eventsourcing.domain import Aggregate
from pydantic import JsonValue

from domain import booking_events
from domain.booking_events import DetailChanges, Details
from domain.customer import SealedCustomer
from domain.differences import differences
from domain.errors import (
    CannotCancel,
    CannotConfirm,
    CannotLapse,
    CannotRelease,
    CannotReschedule,
    HoldExpiryPassed,
    HoldLapsed,
    InvalidResources,
)
from domain.ids import BookingId, ResourceId
from domain.limits import MAX_RESOURCES
from domain.period import Period
from domain.status import BookingStatus


class Booking(Aggregate):
    """One claim on one or more resources for one period.

    Attributes:
        status: where it stands.
        resource_ids: what it claims, in the client's order.
        start_time: when it starts, in UTC.
        end_time: when it ends, in UTC, exclusive.
        hold_expires_at: when the hold lapses or lapsed, in UTC; None lasts until released.
        title: what it is called.
        customer: whom it is for, sealed.
        customer_version: that of the event the customer stands in, to which the seal is bound.
        notes: free text.
        reference: the client's own number for it.
        attributes: whatever else the client keeps with it.
    """

    TOPIC = "booking"

    Event = booking_events.BookingEvent
    Created = booking_events.BookingCreated
    HoldPlaced = booking_events.HoldPlaced
    Booked = booking_events.Booked
    Confirmed = booking_events.Confirmed
    Released = booking_events.Released
    Cancelled = booking_events.Cancelled
    HoldLapsed = booking_events.HoldLapsed
    Rescheduled = booking_events.Rescheduled
    Amended = booking_events.Amended

    def __init__(
        self,
        *,
        resource_ids: tuple[ResourceId, ...],
        start_time: datetime,
        end_time: datetime,
        title: str,
        customer: SealedCustomer | None,
        notes: str | None,
        reference: str | None,
        attributes: dict[str, JsonValue],
    ) -> None:
        """Take over what the first event says; the library calls this to apply it.

        What the two creating events do not have in common, they assign themselves.
        """
        self.status: BookingStatus
        self.hold_expires_at: datetime | None
        self.resource_ids = resource_ids
        self.start_time = start_time
        self.end_time = end_time
        self.title = title
        self.customer = customer
        self.customer_version = self.INITIAL_VERSION
        self.notes = notes
        self.reference = reference
        self.attributes = attributes

    @classmethod
    def place_hold(
        cls,
        booking_id: BookingId,
        *,
        resource_ids: tuple[ResourceId, ...],
        period: Period,
        hold_expires_at: datetime | None,
        details: Details,
        now: datetime,
    ) -> Self:
        """Claim the resources tentatively.

        Raises:
            InvalidResources: there are none, too many, or one twice.
            HoldExpiryPassed: the hold would lapse at once.
        """
        _check_resources(resource_ids)
        if hold_expires_at is not None:
            if hold_expires_at <= now:
                raise HoldExpiryPassed(hold_expires_at)
            hold_expires_at = hold_expires_at.astimezone(UTC)
        return cls._create(
            cls.HoldPlaced,
            id=booking_id,
            timestamp=now,
            resource_ids=resource_ids,
            start_time=period.start,
            end_time=period.end,
            hold_expires_at=hold_expires_at,
            **details,
        )

    @classmethod
    def book(
        cls,
        booking_id: BookingId,
        *,
        resource_ids: tuple[ResourceId, ...],
        period: Period,
        details: Details,
        now: datetime,
    ) -> Self:
        """Claim the resources definitely.

        Raises:
            InvalidResources: there are none, too many, or one twice.
        """
        _check_resources(resource_ids)
        return cls._create(
            cls.Booked,
            id=booking_id,
            timestamp=now,
            resource_ids=resource_ids,
            start_time=period.start,
            end_time=period.end,
            **details,
        )

    def confirm(self, reason: str | None, *, now: datetime) -> None:
        """Make the hold definite.

        Raises:
            HoldLapsed: it is past its expiry.
            CannotConfirm: it is no hold.
        """
        self._refuse_lapsed_hold(now)
        if self.status != "held":
            raise CannotConfirm(BookingId(self.id), self.status)
        self.trigger_event(self.Confirmed, timestamp=now, reason=reason)

    def release(self, reason: str | None, *, now: datetime) -> None:
        """Give up the hold.

        Raises:
            HoldLapsed: it is past its expiry.
            CannotRelease: it is no hold.
        """
        self._refuse_lapsed_hold(now)
        if self.status != "held":
            raise CannotRelease(BookingId(self.id), self.status)
        self.trigger_event(self.Released, timestamp=now, reason=reason)

    def cancel(self, reason: str | None, *, now: datetime) -> None:
        """Give up the confirmed booking.

        Raises:
            CannotCancel: it is not confirmed.
        """
        if self.status != "confirmed":
            raise CannotCancel(BookingId(self.id), self.status)
        self.trigger_event(self.Cancelled, timestamp=now, reason=reason)

    def lapse(self, *, now: datetime) -> None:
        """Take note that the hold is past its expiry.

        Raises:
            CannotLapse: it is no hold, has no expiry, or is not past it.
        """
        if not self.is_past_expiry(now):
            raise CannotLapse(BookingId(self.id), self.status)
        self.trigger_event(self.HoldLapsed, timestamp=now)

    def reschedule(
        self,
        *,
        start_time: datetime | None,
        end_time: datetime | None,
        resource_ids: tuple[ResourceId, ...] | None,
        now: datetime,
    ) -> None:
        """Move to another period, other resources or both; None keeps what is.

        A move to where it stands already records nothing.

        Raises:
            InvalidPeriod: no booking can last the new period.
            InvalidResources: there are none, too many, or one twice.
            HoldLapsed: it is a hold past its expiry.
            CannotReschedule: it claims nothing any more.
        """
        # What is wrong with the request comes before what is wrong with the booking.
        period = Period(start_time or self.start_time, end_time or self.end_time)
        resource_ids = self.resource_ids if resource_ids is None else resource_ids
        _check_resources(resource_ids)
        self._refuse_lapsed_hold(now)
        if self.status not in ("held", "confirmed"):
            raise CannotReschedule(BookingId(self.id), self.status)
        claim = (period.start, period.end, resource_ids)
        if claim == (self.start_time, self.end_time, self.resource_ids):
            return
        self.trigger_event(
            self.Rescheduled,
            timestamp=now,
            resource_ids=resource_ids,
            start_time=period.start,
            end_time=period.end,
            status=self.status,
            hold_expires_at=self.hold_expires_at,
        )

    def amend(self, changes: DetailChanges, *, now: datetime) -> None:
        """Change what claims nothing, in whatever status.

        What is as it was is not recorded; nothing is, if nothing differs. Two sealings of the same
        customer differ, so a customer given again is taken for a change.
        """
        differing = differences(self, changes, among=DetailChanges.__annotations__)
        if differing:
            self.trigger_event(self.Amended, timestamp=now, changes=differing)

    def is_past_expiry(self, now: datetime) -> bool:
        """Whether it is a hold that lapses as soon as somebody takes note of it."""
        return (
            self.status == "held"
            and self.hold_expires_at is not None
            and self.hold_expires_at <= now
        )

    def _refuse_lapsed_hold(self, now: datetime) -> None:
        # The answer must not depend on whether the lapse happens to be recorded already.
        if self.hold_expires_at is not None and (
            self.status == "lapsed" or self.is_past_expiry(now)
        ):
            raise HoldLapsed(BookingId(self.id), self.status, self.hold_expires_at)


def _check_resources(resource_ids: tuple[ResourceId, ...]) -> None:
    if not resource_ids:
        raise InvalidResources("a booking claims at least one resource")
    if len(resource_ids) > MAX_RESOURCES:
        raise InvalidResources(f"a booking claims at most {MAX_RESOURCES} resources")
    if len(set(resource_ids)) < len(resource_ids):
        raise InvalidResources("a booking claims a resource only once")
