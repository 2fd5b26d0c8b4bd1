"""What occupies a resource."""

from fastapi import APIRouter, Request
from pydantic import TypeAdapter
from starlette.responses import Response

from api.cached_reads import answered, answered_with
from api.cached_route import CachedRoute
from api.call import tenant_of
from api.openapi import headers, kinds
from api.openapi.declaration import Answer, operation
from api.openapi.parameters import MAX_PAGE, Cursor, Limit, ResourcePath
from api.past import AsOf, moment_asked
from api.problems import catalogue
from api.problems.from_errors import not_found
from api.problems.problem import ProblemError
from api.questions import calendar_entry, calendar_question, calendar_scope
from api.reading import projected, snapshot
from api.roles import Permission
from api.schemas import examples
from api.schemas.calendar import CalendarBody
from api.services import services_of
from api.window import From, To, window_of
from projections.reservation.calendar import BEGINNING, CalendarMark, read_calendar
from projections.reservation_history.calendar import read_calendar_as_of

# The position is what a time to look back to came to; now has none.
_PLACE: TypeAdapter[tuple[int | None, CalendarMark]] = TypeAdapter(tuple[int | None, CalendarMark])

router = APIRouter(route_class=CachedRoute)


@router.get(
    "/v1/resources/{resource_id}/calendar",
    **operation(
        "readCalendar",
        tag="resources",
        summary="Read what occupies a resource",
        description="The claims that overlap the window, by start, not clipped to it. Holds "
        "past their expiry are left out. With `as_of`, as it was known then.",
        permission=Permission.READ,
        takes=(*kinds.READ_HEADERS, headers.TAKES_IF_NONE_MATCH),
        answer=Answer(
            description="A page of the calendar; 304 without one if it is still that of "
            "`If-None-Match`.",
            model=CalendarBody,
            example=examples.CALENDAR,
            headers=(*kinds.ANSWERS_PAGE, headers.ETAG),
        ),
        problems=(*kinds.READ_ONE_PROBLEMS, catalogue.PROJECTION_BEHIND),
    ),
)
async def read(
    request: Request,
    resource_id: ResourcePath,
    start: From,
    end: To,
    as_of: AsOf = None,
    cursor: Cursor = None,
    limit: Limit = MAX_PAGE,
) -> Response:
    """Reads a calendar."""
    window, tenant_id = window_of(start, end), tenant_of(request)
    if as_of is None and cursor is None:
        return await answered(
            request, calendar_question(services_of(request), tenant_id, resource_id, window, limit)
        )
    cursors = services_of(request).cursors
    bound = calendar_scope(tenant_id, resource_id, window, as_of)
    resolved, after = cursors.open(_PLACE, cursor, bound) if cursor else (None, BEGINNING)
    if as_of is None:
        async with snapshot(request) as look:
            position = look.head
            page = await read_calendar(
                look.conn,
                tenant_id=tenant_id,
                resource_id=resource_id,
                window=window,
                after=after,
                limit=limit,
            )
    else:
        moment = await moment_asked(request, as_of, resolved)
        position = resolved = moment.position
        async with projected(request, "reservation_history", position) as past:
            page = await read_calendar_as_of(
                past.conn,
                tenant_id=tenant_id,
                generation=past.generation,
                moment=moment,
                resource_id=resource_id,
                window=window,
                after=after,
                limit=limit,
            )
    if page is None:
        raise ProblemError(not_found("resource", resource_id))
    mark = page.next_after
    next_cursor = None if mark is None else cursors.seal([resolved, mark], bound)
    return answered_with(request, calendar_entry(page, position, next_cursor))
