"""How much of resources' days was held, confirmed, cancelled, and how long before."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import TypeAdapter
from starlette.responses import Response

from api.call import tenant_of
from api.cursor import CursorScope
from api.days import EndDay, FirstDay, check_days
from api.openapi import kinds
from api.openapi.declaration import Answer, operation
from api.openapi.parameters import DEFAULT_PAGE, Cursor, Limit
from api.problems import catalogue
from api.reading import found_page, projected
from api.rendering import utilisation_day_body
from api.roles import Permission
from api.schemas import examples
from api.schemas.utilisation import UtilisationBody
from api.services import services_of
from api.strict_route import StrictRoute
from domain.ids import ResourceId
from projections.utilisation.reading import BEGINNING, UtilisationMark, read_utilisation

MOST_RESOURCES = 200

_MARK = TypeAdapter(UtilisationMark)

router = APIRouter(route_class=StrictRoute)


@router.get(
    "/v1/utilisation",
    **operation(
        "readUtilisation",
        tag="operations",
        summary="Read how much of resources' days was used",
        description="For each resource and day of its own time zone on which anything was booked "
        "or refused: how long, by what the bookings are now; how many start in it, and how long "
        "before they were made; how many commands were refused. It follows the log within moments: "
        "`Min-Event-Position` waits for a write of yours.",
        permission=Permission.READ,
        takes=kinds.READ_HEADERS,
        answer=Answer(
            description="A page of days.",
            model=UtilisationBody,
            example=examples.UTILISATION,
            headers=kinds.ANSWERS_PAGE,
        ),
        problems=(*kinds.READ_PROJECTED_PROBLEMS, catalogue.HEAD_TOO_LARGE),
    ),
)
async def read(
    request: Request,
    resource_id: Annotated[
        list[ResourceId],
        Query(
            min_length=1,
            max_length=MOST_RESOURCES,
            description="Of these resources.",
            examples=[[examples.STAGE_ID]],
        ),
    ],
    start: FirstDay,
    end: EndDay,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE,
) -> Response:
    """Reads utilisation."""
    check_days(start, end)
    cursors, tenant_id = services_of(request).cursors, tenant_of(request)
    bound = CursorScope(
        tenant_id=tenant_id,
        of="utilisation",
        filters={
            "resources": sorted(resource_id),
            "from": start,
            "to": end,
        },
    )
    after = cursors.open(_MARK, cursor, bound) if cursor else BEGINNING
    async with projected(request, "utilisation") as look:
        days = await read_utilisation(
            look.conn,
            tenant_id=tenant_id,
            generation=look.generation,
            resources=resource_id,
            start=start,
            end=end,
            after=after,
            limit=limit + 1,  # one more than shown tells whether there is another page
        )
    shown = days[:limit]
    return found_page(
        request,
        [utilisation_day_body(day) for day in shown],
        next_cursor=cursors.seal(UtilisationMark(shown[-1].resource_id, shown[-1].day), bound)
        if len(days) > limit
        else None,
        as_of=look.position,
    )
