"""What can be asked of the domain: one frozen class a command, named as an imperative."""

from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict

from pydantic import JsonValue

from domain.customer import Customer
from domain.ids import BookingId, ResourceId
from domain.period import Period
from domain.status import ClaimStatus


@dataclass(frozen=True, kw_only=True)
class Book:
    """Claim the resources for the period, all or none, as a hold or confirmed at once.

    Attributes:
        booking_id: the new booking's id.
        resource_ids: what is claimed, in the client's order.
        period: when.
        status: whether the booking begins as a hold or confirmed.
        hold_expires_at: when the hold lapses; None lasts until it is released.
        title: what the booking is called.
        customer: whom it is for, not yet sealed.
        notes: free text.
        reference: the client's own number for it.
        attributes: whatever else the client keeps with it.

    Raises:
        ValueError: a confirmed booking was given an expiry, which the caller has to refuse before.
    """

    booking_id: BookingId
    resource_ids: tuple[ResourceId, ...]
    period: Period
    status: ClaimStatus
    hold_expires_at: datetime | None
    title: str
    customer: Customer | None
    notes: str | None
    reference: str | None
    attributes: dict[str, JsonValue]

    def __post_init__(self) -> None:
        """Refuse what has no meaning, rather than drop the expiry unsaid."""
        if self.status == "confirmed" and self.hold_expires_at is not None:
            raise ValueError("a confirmed booking does not expire")


class Amendment(TypedDict, total=False):
    """What of a booking claims nothing; what is absent stays as it is."""

    title: str
    notes: str | None
    customer: Customer | None
    reference: str | None
    attributes: dict[str, JsonValue]


@dataclass(frozen=True, kw_only=True)
class Amend:
    """Change what claims nothing; allowed in every status."""

    booking_id: BookingId
    changes: Amendment


@dataclass(frozen=True, kw_only=True)
class Confirm:
    """Make a hold definite."""

    booking_id: BookingId
    reason: str | None


@dataclass(frozen=True, kw_only=True)
class Release:
    """Give up a hold."""

    booking_id: BookingId
    reason: str | None


@dataclass(frozen=True, kw_only=True)
class Cancel:
    """Give up a confirmed booking."""

    booking_id: BookingId
    reason: str | None


@dataclass(frozen=True, kw_only=True)
class Reschedule:
    """Move a booking to another period, other resources or both; None keeps what is."""

    booking_id: BookingId
    start_time: datetime | None
    end_time: datetime | None
    resource_ids: tuple[ResourceId, ...] | None


@dataclass(frozen=True, kw_only=True)
class Lapse:
    """Record that a hold has passed its expiry."""

    booking_id: BookingId


@dataclass(frozen=True, kw_only=True)
class RegisterResource:
    """Make something bookable.

    Attributes:
        resource_id: the new resource's id.
        name: what it is called.
        kind: what it is: a room, a camera, a street.
        timezone: the IANA name of the zone in which its days are shown.
        attributes: whatever else the client keeps with it.
    """

    resource_id: ResourceId
    name: str
    kind: str
    timezone: str
    attributes: dict[str, JsonValue]


class ResourceAmendment(TypedDict, total=False):
    """What of a resource can be changed; what is absent stays as it is."""

    name: str
    kind: str
    timezone: str
    attributes: dict[str, JsonValue]


@dataclass(frozen=True, kw_only=True)
class ChangeResource:
    """Change what is known of a resource; allowed after it is retired too."""

    resource_id: ResourceId
    changes: ResourceAmendment


@dataclass(frozen=True, kw_only=True)
class RetireResource:
    """Take no new claims on a resource; what is booked stays."""

    resource_id: ResourceId


BookingCommand = Book | Amend | Confirm | Release | Cancel | Reschedule | Lapse
ResourceCommand = RegisterResource | ChangeResource | RetireResource
FoundingCommand = Book | RegisterResource
"""Makes a new thing; all others are asked of one that is there."""
