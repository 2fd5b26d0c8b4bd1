"""The tenant's log, for those who replay it."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api.call import tenant_of
from api.headers import MAX_POSITION, read_min_event_position
from api.openapi import kinds, links
from api.openapi.declaration import Answer, operation
from api.openapi.parameters import DEFAULT_PAGE, Limit
from api.reading import check_reached, found, next_link
from api.rendering import cloud_event_body
from api.roles import Permission
from api.schemas import examples
from api.schemas.events import EventsBody
from api.services import services_of
from api.strict_route import StrictRoute

router = APIRouter(route_class=StrictRoute)


@router.get(
    "/v1/events",
    **operation(
        "readEvents",
        tag="log",
        summary="Read the log",
        description="Every event of the tenant, in order and without gaps, as CloudEvents 1.0. "
        "Go on with `next_after`; where it equals the header Event-Position, that was all so far. "
        "Personal data stays sealed.",
        permission=Permission.READ,
        takes=kinds.READ_HEADERS,
        answer=Answer(
            description="A part of the log.",
            model=EventsBody,
            example=examples.EVENTS,
            headers=kinds.ANSWERS_PAGE,
            links=links.OF_EVENTS,
        ),
        problems=kinds.READ_PROBLEMS,
    ),
)
async def read(
    request: Request,
    after: Annotated[
        int,
        Query(
            ge=0,
            le=MAX_POSITION,
            description="The position before the first event wanted.",
            examples=[3],
        ),
    ] = 0,
    limit: Limit = DEFAULT_PAGE,
    topic: Annotated[
        str | None,
        Query(
            pattern=r"^[a-z]+\.[a-z_]+$",
            max_length=100,
            description="Only events of this type.",
            examples=["booking.confirmed"],
        ),
    ] = None,
) -> Response:
    """Reads the log."""
    at_least = read_min_event_position(request.scope["headers"])
    tenant_id = tenant_of(request)
    page = await services_of(request).trail.events(tenant_id, after, limit, topic)
    check_reached(at_least, page.as_of)
    return found(
        {
            "items": [cloud_event_body(tenant_id, event) for event in page.events],
            "next_after": page.next_after,
        },
        as_of=page.as_of,
        headers=next_link(request, after=page.next_after) if page.next_after < page.as_of else None,
    )
