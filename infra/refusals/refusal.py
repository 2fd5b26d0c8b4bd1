"""One refused command, as it is kept: who wanted what, and what stood in the way."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain.errors import (
    CannotCancel,
    CannotConfirm,
    CannotRelease,
    CannotReschedule,
    Conflict,
    HoldLapsed,
    ResourceRetired,
    SlotTaken,
    TooManyHolds,
    UnknownResources,
)
from domain.ids import BookingId, ResourceId, TenantId

MOST_BLOCKING = 20
"""How many of the bookings in the way are named."""

REASON_OF: Mapping[type[Exception], str] = {
    SlotTaken: "booking-conflict",
    TooManyHolds: "too-many-holds",
    ResourceRetired: "resource-retired",
    UnknownResources: "unknown-resource",
    HoldLapsed: "hold-lapsed",
    CannotConfirm: "invalid-transition",
    CannotRelease: "invalid-transition",
    CannotCancel: "invalid-transition",
    CannotReschedule: "invalid-transition",
}
"""The refusals that are kept, under the names of the problems that are answered.

A period that nothing could ever last tells of the client and not of the calendar; nor is anybody
refused anything when a hold turns out not to lapse.
"""

REASONS = tuple(dict.fromkeys(REASON_OF.values()))


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedCommand:
    """What was refused.

    Attributes:
        tenant_id: to whom.
        refusal_id: names it, so that it is kept once.
        refused_at: when, in UTC.
        reason: one of `REASONS`.
        command: what was asked: `book`, `confirm` and so on.
        booking_id: that was to be made or changed; None for a resource's command.
        resource_ids: that were wanted.
        start_time: of the period that was wanted; None where there is none.
        end_time: likewise.
        blocking_ids: bookings in the way, the first `MOST_BLOCKING`.
        conflicts: the claims in the way, the first `MOST_BLOCKING`; these are told, and not kept.
        actor: who asked, by id.
        request_id: by which request.
    """

    tenant_id: TenantId
    refusal_id: UUID
    refused_at: datetime
    reason: str
    command: str
    booking_id: BookingId | None
    resource_ids: tuple[ResourceId, ...]
    start_time: datetime | None
    end_time: datetime | None
    blocking_ids: tuple[BookingId, ...]
    actor: str
    request_id: str
    conflicts: tuple[Conflict, ...] = ()


TellRefused = Callable[[TenantId, Callable[[], RefusedCommand]], None]
"""Takes a tenant's refusal; it is put together only if it is to be kept."""
