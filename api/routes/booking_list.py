"""Finding bookings: the list of all, narrowed by filters."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import TypeAdapter
from starlette.responses import Response

from api.call import tenant_of
from api.cursor import CursorScope
from api.openapi import kinds
from api.openapi.declaration import Answer, operation
from api.openapi.parameters import DEFAULT_PAGE, MAX_PAGE, Cursor, Limit
from api.past import AsOf, moment_asked
from api.reading import found_page, projected
from api.rendering import listed_booking_body, thing_body
from api.roles import Permission
from api.schemas import examples
from api.schemas.booking_bodies import BookingListBody
from api.schemas.fields import Reference
from api.services import services_of
from api.strict_route import StrictRoute
from api.window import OpenEnd, check_order
from domain.booking import Booking
from domain.ids import ResourceId
from domain.status import BookingStatus
from infra.customer_vault import SealedIn
from infra.engine.requests import Aggregate
from projections.bookings.listing import (
    BEGINNING,
    BookingFilter,
    BookingMark,
    ListedBooking,
    list_bookings,
)
from projections.reservation_history import listing as known

MAX_TEXT = 100

_MARK = TypeAdapter(BookingMark)
# With what a time to look back to came to.
_PLACE: TypeAdapter[tuple[int, known.KnownMark]] = TypeAdapter(tuple[int, known.KnownMark])

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
        "than `limit`, or none, and yet not be the last. So it does with `as_of`, which lists the "
        "bookings as they were known then.",
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
    as_of: AsOf = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE,
) -> Response:
    """Lists."""
    wanted = BookingFilter(
        resource_id=resource_id, status=status, start=start, end=end, q=q, reference=reference
    )
    check_order(start, end)
    bound = CursorScope(
        tenant_id=tenant_of(request), of="bookings", filters={**asdict(wanted), "as_of": as_of}
    )
    if as_of is None:
        return await _list_now(request, wanted, bound, cursor, limit)
    return await _list_as_of(request, as_of, wanted, bound, cursor, limit)


async def _list_now(
    request: Request, wanted: BookingFilter, bound: CursorScope, cursor: str | None, limit: int
) -> Response:
    cursors = services_of(request).cursors
    after = cursors.open(_MARK, cursor, bound) if cursor else BEGINNING
    async with projected(request, "bookings") as look:
        page = await list_bookings(
            look.conn,
            tenant_id=look.tenant_id,
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


async def _list_as_of(
    request: Request,
    as_of: int | datetime,
    wanted: BookingFilter,
    bound: CursorScope,
    cursor: str | None,
    limit: int,
) -> Response:
    """Lists the bookings that were known then, each folded from its events until then."""
    services = services_of(request)
    position, after = (
        services.cursors.open(_PLACE, cursor, bound) if cursor else (None, known.BEGINNING)
    )
    moment = await moment_asked(request, as_of, position)
    async with projected(request, "reservation_history", moment.position) as look:
        page = await known.list_known(
            look.conn,
            tenant_id=look.tenant_id,
            generation=look.generation,
            moment=moment,
            wanted=wanted,
            after=after,
            limit=MAX_PAGE if wanted.asks_for_details else limit,
        )
    bookings = await services.engine.bookings_as_of(
        bound.tenant_id, [mark.booking_id for mark in page.marks], moment.position
    )
    told = [
        (mark, booking)
        for mark, booking in zip(page.marks, bookings, strict=True)
        if _tells(booking.aggregate, wanted)
    ]
    last = told[limit - 1][0] if len(told) > limit else page.next_after
    return found_page(
        request,
        [thing_body(booking) for _, booking in told[:limit]],
        next_cursor=None if last is None else services.cursors.seal([moment.position, last], bound),
        as_of=moment.position,
    )


def _tells(booking: Aggregate, wanted: BookingFilter) -> bool:
    """Whether a booking has the reference and the text that are asked for."""
    if not isinstance(booking, Booking):
        return False
    texts = (booking.title, booking.reference, booking.notes)
    return (wanted.reference is None or booking.reference == wanted.reference) and (
        wanted.q is None or wanted.q.lower() in "\n".join(filter(None, texts)).lower()
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
