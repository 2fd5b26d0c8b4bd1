"""Which room a client means, and whether it is there for its tenant."""

from uuid import UUID

from api.problems.problem import FieldError, ProblemError, validation_failed
from api.services import Services
from domain.ids import TenantId
from infra.live import Room, TenantFeed

CATCH_UP_SECONDS = 2.0
"""For the feed to come as far as a client has heard of elsewhere."""


async def room_of(
    services: Services, tenant_id: TenantId, resource_id: UUID | None, booking_id: UUID | None
) -> Room:
    """Gives the room that a client asks for.

    Args:
        services: that know what there is among them.
        tenant_id: the client's.
        resource_id: for what happens to a resource and its bookings.
        booking_id: for what happens to a booking; without either, for all of the tenant.

    Raises:
        ProblemError: it asks for both (validation-failed), or there is no such thing (not-found).
        Overloaded: the database could not be asked in time.
    """
    if resource_id is not None and booking_id is not None:
        message = "Expected a resource or a booking, not both"
        both = FieldError(pointer="/query/booking_id", message=message)
        raise ProblemError(validation_failed(both))
    room = Room("tenant", tenant_id)
    if resource_id is not None:
        room = Room("resource", resource_id)
    elif booking_id is not None:
        room = Room("booking", booking_id)
    await services.door.known.check(tenant_id, room)
    return room


async def can_go_on(feed: TenantFeed, after: int | None) -> bool:
    """Sees whether a client that has heard everything up to a position can go on from there.

    Args:
        feed: of its tenant.
        after: the position; None for now, where everything known of the log is told first.

    Returns:
        Whether it can; not if that is too long ago, nor if the log has not come that far: it was
        restored from a backup.

    Raises:
        Overloaded: the database could not be asked in time.
    """
    if after is None:
        await feed.current(CATCH_UP_SECONDS)
        return True
    return await feed.reached(after, CATCH_UP_SECONDS) and await feed.reach(after)
