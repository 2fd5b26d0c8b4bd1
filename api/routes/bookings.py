"""Making a booking, reading it and its history, and amending what claims nothing."""

from http import HTTPStatus

from fastapi import APIRouter, Request
from pydantic import TypeAdapter
from starlette.responses import Response

from api.cached_reads import answered, answered_with
from api.cached_route import CachedRoute
from api.call import tenant_of
from api.cursor import CursorScope
from api.headers import read_min_event_position
from api.openapi import headers, kinds, links
from api.openapi.declaration import Answer, operation
from api.openapi.parameters import DEFAULT_PAGE, BookingPath, Cursor, Limit
from api.past import AsOf, moment_asked
from api.problems import catalogue
from api.problems.from_errors import not_found
from api.problems.problem import ProblemError
from api.questions import booking_question, thing_entry
from api.reading import (
    check_reached,
    check_reached_by_absent,
    found_page,
)
from api.rendering import history_entry_body
from api.roles import Permission
from api.schemas import examples
from api.schemas.booking_bodies import BookingBody, HistoryBody
from api.schemas.booking_forms import AmendForm, BookForm
from api.services import services_of
from api.strict_route import StrictRequest
from api.writing import execute
from domain.ids import BookingId
from infra.identity import new_id

_VERSION = TypeAdapter(int)

router = APIRouter(route_class=CachedRoute)


@router.post(
    "/v1/bookings",
    **operation(
        "book",
        tag="bookings",
        summary="Book resources for a period",
        description="Books all the resources for all of the period, or nothing. A hold keeps them "
        "until it expires, is released or confirmed. Where another booking is in the way, the "
        "answer names every one, up to a hundred.",
        permission=Permission.BOOK,
        takes=[headers.TAKES_IDEMPOTENCY_KEY],
        answer=Answer(
            status=HTTPStatus.CREATED,
            description="Booked.",
            model=BookingBody,
            example=examples.BOOKING,
            headers=kinds.ANSWERS_NEW,
            links=links.OF_BOOKING,
        ),
        problems=[
            *kinds.FORM_PROBLEMS,
            catalogue.UNKNOWN_RESOURCE,
            catalogue.BOOKING_CONFLICT,
            catalogue.RESOURCE_RETIRED,
            catalogue.TOO_MANY_HOLDS,
        ],
    ),
)
async def book(request: StrictRequest, form: BookForm) -> Response:
    """Books."""
    return await execute(request, form.command(BookingId(new_id())))


@router.get(
    "/v1/bookings/{booking_id}",
    **operation(
        "readBooking",
        tag="bookings",
        summary="Read a booking",
        description="Folds the booking from its events, so the answer is never stale. With "
        "`as_of`, from the events until then; who was forgotten since is forgotten then, too.",
        permission=Permission.READ,
        takes=(*kinds.READ_HEADERS, headers.TAKES_IF_NONE_MATCH),
        answer=Answer(
            description="The booking; 304 without it if it is still that of `If-None-Match`.",
            model=BookingBody,
            example=examples.BOOKING,
            headers=kinds.ANSWERS_ONE,
            links=links.OF_BOOKING,
        ),
        problems=kinds.READ_ONE_PROBLEMS,
    ),
)
async def read_booking(request: Request, booking_id: BookingPath, as_of: AsOf = None) -> Response:
    """Reads a booking."""
    services, tenant_id = services_of(request), tenant_of(request)
    if as_of is None:
        return await answered(request, booking_question(services, tenant_id, booking_id))
    moment = await moment_asked(request, as_of)
    for known in await services.engine.bookings_as_of(tenant_id, [booking_id], moment.position):
        return answered_with(request, thing_entry(known))
    raise ProblemError(not_found("booking", booking_id))


@router.patch(
    "/v1/bookings/{booking_id}",
    **operation(
        "amendBooking",
        tag="bookings",
        summary="Amend what of a booking claims nothing",
        description="Changes title, notes, customer, reference and attributes, whatever the "
        "booking's status. What is absent stays; null clears notes, customer and reference.",
        permission=Permission.BOOK,
        takes=kinds.CHANGE_HEADERS,
        answer=Answer(
            description="The booking, amended.",
            model=BookingBody,
            example=examples.BOOKING,
            headers=kinds.ANSWERS_CHANGE,
            links=links.OF_BOOKING,
        ),
        problems=[*kinds.CHANGE_PROBLEMS, catalogue.TOO_MANY_HOLDS],
    ),
)
async def amend_booking(
    request: StrictRequest, booking_id: BookingPath, form: AmendForm
) -> Response:
    """Amends a booking."""
    return await execute(request, form.command(booking_id))


@router.get(
    "/v1/bookings/{booking_id}/history",
    **operation(
        "readHistory",
        tag="log",
        summary="Read what happened to a booking",
        description="Its events, oldest first: who caused each, when and why, and what of the "
        "booking became what. Personal data stays sealed.",
        permission=Permission.READ,
        takes=kinds.READ_HEADERS,
        answer=Answer(
            description="A page of its history.",
            model=HistoryBody,
            example=examples.HISTORY,
            headers=kinds.ANSWERS_PAGE,
        ),
        problems=kinds.READ_ONE_PROBLEMS,
    ),
)
async def read_history(
    request: Request, booking_id: BookingPath, cursor: Cursor = None, limit: Limit = DEFAULT_PAGE
) -> Response:
    """Reads a booking's history."""
    at_least = read_min_event_position(request.scope["headers"])
    services, tenant_id = services_of(request), tenant_of(request)
    bound = CursorScope(tenant_id=tenant_id, of="history", filters={"booking": booking_id})
    after = services.cursors.open(_VERSION, cursor, bound) if cursor else 0
    page = await services.trail.history(tenant_id, booking_id, after, limit)
    if page is None:
        await check_reached_by_absent(services, tenant_id, at_least)
        raise ProblemError(not_found("booking", booking_id))
    check_reached(at_least, page.as_of)
    last = page.entries[-1].event.version if page.entries and page.has_more else None
    return found_page(
        request,
        [history_entry_body(entry) for entry in page.entries],
        next_cursor=None if last is None else services.cursors.seal(last, bound),
        as_of=page.as_of,
    )
