"""When resources are free."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api.openapi import kinds
from api.openapi.declaration import Answer, operation
from api.past import AsOf, moment_asked
from api.problems import catalogue
from api.problems.from_errors import not_found, window_too_full
from api.problems.problem import ProblemError
from api.reading import found, projected, snapshot
from api.rendering import availability_body
from api.roles import Permission
from api.schemas import examples
from api.schemas.availability import AvailabilityBody
from api.schemas.times import Duration
from api.strict_route import StrictRoute
from api.window import From, To, window_of
from domain.ids import ResourceId
from projections.reservation.availability import WindowTooFull, read_availability
from projections.reservation_history.availability import read_availability_as_of

MAX_RESOURCES = 200

router = APIRouter(route_class=StrictRoute)


@router.get(
    "/v1/availability",
    **operation(
        "readAvailability",
        tag="resources",
        summary="Find when resources are free",
        description="Free periods within the window, clipped to it: of each resource, and those "
        "common to all. A retired resource is never free. Holds past their expiry are left out. "
        "With `as_of`, as it was known then.",
        permission=Permission.READ,
        takes=kinds.READ_HEADERS,
        answer=Answer(
            description="The free periods.",
            model=AvailabilityBody,
            example=examples.AVAILABILITY,
            headers=kinds.ANSWERS_READ,
        ),
        problems=(
            *kinds.READ_ONE_PROBLEMS,
            catalogue.HEAD_TOO_LARGE,
            catalogue.PROJECTION_BEHIND,
        ),
    ),
)
async def read(
    request: Request,
    resource_id: Annotated[
        list[ResourceId],
        Query(
            min_length=1,
            max_length=MAX_RESOURCES,
            description="The resources: the parameter once for each, at most 200 times.",
            examples=[[examples.STAGE_ID, examples.CAMERA_ID]],
        ),
    ],
    start: From,
    end: To,
    duration: Annotated[
        Duration | None,
        Query(
            description="Only free periods of at least this long: ISO 8601, in weeks, days of 24 "
            "hours, hours, minutes, seconds.",
            examples=["PT4H"],
        ),
    ] = None,
    as_of: AsOf = None,
) -> Response:
    """Reads what is free."""
    window, at_least = window_of(start, end), duration or timedelta(0)
    try:
        if as_of is None:
            async with snapshot(request) as look:
                position = look.head
                availability = await read_availability(
                    look.conn,
                    tenant_id=look.tenant_id,
                    resource_ids=resource_id,
                    window=window,
                    duration=at_least,
                )
        else:
            moment = await moment_asked(request, as_of)
            position = moment.position
            async with projected(request, "reservation_history", position) as past:
                availability = await read_availability_as_of(
                    past.conn,
                    tenant_id=past.tenant_id,
                    generation=past.generation,
                    moment=moment,
                    resource_ids=resource_id,
                    window=window,
                    duration=at_least,
                )
    except WindowTooFull as full:
        raise ProblemError(window_too_full(full)) from None
    if availability.unknown:
        raise ProblemError(not_found("resource", availability.unknown[0]))
    return found(availability_body(availability), as_of=position)
