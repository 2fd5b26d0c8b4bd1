"""Finding bookings: the list of all, narrowed by filters."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import TypeAdapter
from starlette.responses import Response

from api.call import tenant_of
from api.cursor import CursorScope
from api.openapi import kinds
from api.openapi.declaration import Answer, operation
from api.openapi.parameters import DEFAULT_PAGE, Cursor, Limit
from api.reading import found_page, projected
from api.rendering import listed_booking_body
from api.roles import Permission
from api.schemas import examples
from api.schemas.booking_bodies import BookingListBody
from api.schemas.fields import Reference
from api.services import services_of
from api.strict_route import StrictRoute
from api.window import OpenEnd, check_order
from domain.ids import ResourceId
from domain.status import BookingStatus
from infra.customer_vault import SealedIn
from projections.bookings.listing import (
    BEGINNING,
    BookingFilter,
    BookingMark,
    ListedBooking,
    list_bookings,
)

MAX_TEXT = 100

_MARK = TypeAdapter(BookingMark)

router = APIRouter(route_class=StrictRoute)


@router.get(
    "/v1/bookings",
    **operation(
        "listBookings",
        tag="bookings",
        summary="Find bookings",
        description="By start and id, whatever their status; stable while others book. The list "
        "follows the log within moments: `Min-Event-Position` waits for a write of yours. A page "
        "looks at a bounded number of bookings for a status or a text: it may have fewer items "
        "than `limit`, or none, and yet not be the last.",
        permission=Permission.READ,
        takes=kinds.READ_HEADERS,
        answer=Answer(
            description="A page of bookings.",
            model=BookingListBody,
            example=examples.BOOKINGS,
            headers=kinds.ANSWERS_PAGE,
        ),
        problems=kinds.READ_PROJECTED_PROBLEMS,
    ),
)
async def list_all(
    request: Request,
    resource_id: Annotated[
        ResourceId | None,
        Query(description="Only those of this resource.", examples=[examples.STAGE_ID]),
    ] = None,
    status: Annotated[
        BookingStatus | None, Query(description="Only those that stand so.", examples=["held"])
    ] = None,
    start: Annotated[
        OpenEnd,
        Query(alias="from", description="Only those that end after this time."),
    ] = None,
    end: Annotated[
        OpenEnd,
        Query(alias="to", description="Only those that start before this time."),
    ] = None,
    q: Annotated[
        str | None,
        Query(
            min_length=1,
            max_length=MAX_TEXT,
            description="Only those with this text in title, reference or notes, in whatever case.",
            examples=["commercial"],
        ),
    ] = None,
    reference: Annotated[
        Reference | None,
        Query(description="Only those with exactly this reference.", examples=["PO-4711"]),
    ] = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE,
) -> Response:
    """Lists."""
    wanted = BookingFilter(
        resource_id=resource_id, status=status, start=start, end=end, q=q, reference=reference
    )
    check_order(start, end)
    cursors, tenant_id = services_of(request).cursors, tenant_of(request)
    bound = CursorScope(tenant_id=tenant_id, of="bookings", filters=asdict(wanted))
    after = cursors.open(_MARK, cursor, bound) if cursor else BEGINNING
    async with projected(request, "bookings") as look:
        page = await list_bookings(
            look.conn,
            tenant_id=tenant_id,
            generation=look.generation,
            wanted=wanted,
            after=after,
            limit=limit,
        )
    mark = page.next_after
    return found_page(
        request,
        await _bodies(request, page.bookings),
        next_cursor=None if mark is None else cursors.seal(mark, bound),
        as_of=look.position,
    )


async def _bodies(request: Request, bookings: tuple[ListedBooking, ...]) -> list[object]:
    """Gives bookings with their customers opened, all keys looked up at once."""
    sealed = {
        booking.booking_id: SealedIn(booking.customer, booking.booking_id, booking.customer_version)
        for booking in bookings
        if booking.customer is not None
    }
    opened = await services_of(request).vault.open_all(tenant_of(request), [*sealed.values()])
    customers = dict(zip(sealed, opened, strict=True))
    return [listed_booking_body(booking, customers.get(booking.booking_id)) for booking in bookings]
