"""When resources are free."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api.cached_reads import answered, answered_with
from api.cached_route import CachedRoute
from api.call import tenant_of
from api.openapi import headers, kinds
from api.openapi.declaration import Answer, operation
from api.past import AsOf, moment_asked
from api.problems import catalogue
from api.problems.from_errors import not_found, window_too_full
from api.problems.problem import ProblemError
from api.questions import availability_entry, availability_question
from api.reading import projected
from api.roles import Permission
from api.schemas import examples
from api.schemas.availability import AvailabilityBody
from api.schemas.times import Duration
from api.services import services_of
from api.window import From, To, window_of
from domain.ids import ResourceId
from projections.reservation.availability import WindowTooFull
from projections.reservation_history.availability import read_availability_as_of

MAX_RESOURCES = 200

router = APIRouter(route_class=CachedRoute)


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
        takes=(*kinds.READ_HEADERS, headers.TAKES_IF_NONE_MATCH),
        answer=Answer(
            description="The free periods; 304 without them if they are still those of "
            "`If-None-Match`.",
            model=AvailabilityBody,
            example=examples.AVAILABILITY,
            headers=(*kinds.ANSWERS_READ, headers.ETAG),
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
            services, tenant_id = services_of(request), tenant_of(request)
            question = availability_question(services, tenant_id, resource_id, window, at_least)
            return await answered(request, question)
        moment = await moment_asked(request, as_of)
        async with projected(request, "reservation_history", moment.position) as past:
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
    return answered_with(request, availability_entry(availability, moment.position))
