"""What calendar programs subscribe to: bookings, under an address that is a secret."""

import hashlib
from datetime import UTC, datetime, time, timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from api.call import call_of
from api.feed_address import address_with
from api.headers import is_known_already
from api.icalendar_feed import calendar_text
from api.openapi import headers, kinds
from api.openapi.declaration import Answer, operation
from api.problems import catalogue
from api.problems.from_errors import not_found
from api.problems.problem import ProblemError
from api.reading import ProjectedSnapshot, projected
from api.roles import Permission
from api.schemas import examples
from api.services import services_of
from api.strict_route import StrictRoute
from domain.ids import ResourceId
from infra.pacing import Pace
from projections.bookings.listing import BookingFilter, list_bookings
from projections.resource.listing import names_of

DAYS_BACK = 90
"""How long what is over stays in a feed."""

MOST_BOOKINGS = 2000
"""In a feed: what starts first."""

_FORM = 1
"""Of what is written: the next one is another body, and needs another entity tag."""

_HEADERS = {"Cache-Control": "private, no-cache", "Content-Disposition": "inline"}

router = APIRouter(route_class=StrictRoute)


@router.get(
    address_with("{key}"),
    **operation(
        "readCalendarFeed",
        tag="resources",
        summary="Subscribe to a calendar",
        description="The bookings of a resource, or of the whole tenant, as an iCalendar stream "
        "(RFC 5545), for programs that are given an address and can send no key. The address is "
        "the secret: `booking apikey create --role feed` makes one, `booking apikey revoke` ends "
        f"it. What ended {DAYS_BACK} days ago or later is in it, and what is to come; at most "
        f"{MOST_BOOKINGS} bookings. Bookings that were given up stay in it, as cancelled. `UID` is "
        "the booking's id, `SEQUENCE` its version. Nothing of the customer is in it, and no notes.",
        permission=Permission.SUBSCRIBE,
        takes=(*kinds.READ_HEADERS, headers.TAKES_IF_NONE_MATCH),
        answer=Answer(
            description="The calendar; 304 without one if it is still that of `If-None-Match`.",
            example=examples.CALENDAR_FEED,
            media_type="text/calendar",
            headers=(headers.EVENT_POSITION, headers.ETAG),
        ),
        problems=(*kinds.READ_PROJECTED_PROBLEMS, catalogue.NOT_FOUND),
    ),
)
async def read(
    request: Request,
    key: Annotated[  # noqa: ARG001 - the front door has read it
        str, Path(description="The key of the feed.", examples=[examples.FEED_KEY])
    ],
) -> Response:
    """Reads a feed."""
    services = services_of(request)
    resource_id = call_of(request.scope).authenticated.resource_id
    since = datetime.combine(datetime.now(UTC).date(), time(), UTC) - timedelta(days=DAYS_BACK)
    async with projected(request, "bookings") as look:
        tag = _entity_tag(look, resource_id, since)
        answered = {**_HEADERS, "Event-Position": str(look.position), "ETag": tag}
        if is_known_already(request.scope["headers"], tag):
            return Response(status_code=304, headers=answered)
        page = await list_bookings(
            look.conn,
            tenant_id=look.tenant_id,
            generation=look.generation,
            wanted=BookingFilter(resource_id=resource_id, start=since),
            limit=MOST_BOOKINGS,
        )
        concerned = {each for booking in page.bookings for each in booking.resource_ids}
        if resource_id is not None:
            concerned.add(resource_id)
        names = await names_of(look.conn, tenant_id=look.tenant_id, resource_ids=concerned)
    if resource_id is not None and resource_id not in names:
        raise ProblemError(not_found("resource", resource_id))
    title = "Bookings" if resource_id is None else names[resource_id]
    text = await calendar_text(title, page.bookings, names, Pace(services.rounds))
    return Response(text, headers=answered, media_type="text/calendar")


def _entity_tag(look: ProjectedSnapshot, resource_id: ResourceId | None, since: datetime) -> str:
    """Names the body before it is written: all that goes into it."""
    parts = (_FORM, look.tenant_id, resource_id, since, look.generation, look.position, look.head)
    return f'"{hashlib.sha256(repr(parts).encode()).hexdigest()[:32]}"'
