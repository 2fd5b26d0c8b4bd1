"""How much of resources' days was held, confirmed, cancelled, and how long before."""

from datetime import date, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import PlainValidator, TypeAdapter, WithJsonSchema
from starlette.responses import Response

from api.call import tenant_of
from api.cursor import CursorScope
from api.openapi import kinds
from api.openapi.declaration import Answer, operation
from api.openapi.parameters import DEFAULT_PAGE, Cursor, Limit
from api.problems import catalogue
from api.problems.problem import FieldError, ProblemError, validation_failed
from api.reading import found_page, projected
from api.rendering import utilisation_day_body
from api.roles import Permission
from api.schemas import examples
from api.schemas.times import parse_date
from api.schemas.utilisation import UtilisationBody
from api.services import services_of
from api.strict_route import StrictRoute
from domain.ids import ResourceId
from projections.utilisation.reading import BEGINNING, UtilisationMark, read_utilisation

MOST_DAYS = 366
MOST_RESOURCES = 200

_MARK = TypeAdapter(UtilisationMark)

router = APIRouter(route_class=StrictRoute)


@router.get(
    "/v1/utilisation",
    **operation(
        "readUtilisation",
        tag="operations",
        summary="Read how much of resources' days was used",
        description="For each resource and day of its own time zone on which anything was booked: "
        "how long, by what the bookings are now; how many start in it, and how long before they "
        "were made. It follows the log within moments: `Min-Event-Position` waits for a write of "
        "yours.",
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
    start: Annotated[
        date,
        PlainValidator(parse_date),
        WithJsonSchema({"type": "string", "format": "date", "examples": ["2026-03-01"]}),
        Query(alias="from", description="The first day."),
    ],
    end: Annotated[
        date,
        PlainValidator(parse_date),
        WithJsonSchema({"type": "string", "format": "date", "examples": ["2026-04-01"]}),
        Query(alias="to", description="The day after the last; at most 366 days later."),
    ],
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE,
) -> Response:
    """Reads utilisation."""
    if not start < end <= start + timedelta(days=MOST_DAYS):
        raise ProblemError(
            validation_failed(
                FieldError(
                    pointer="/query/to",
                    message=f"Expected a date after from, by at most {MOST_DAYS} days",
                )
            )
        )
    cursors, tenant_id = services_of(request).cursors, tenant_of(request)
    bound = CursorScope(
        tenant_id=tenant_id,
        of="utilisation",
        filters={
            "resources": [*sorted(str(each) for each in resource_id)],
            "from": start.isoformat(),
            "to": end.isoformat(),
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
        next_cursor=cursors.seal([str(shown[-1].resource_id), shown[-1].day.isoformat()], bound)
        if len(days) > limit
        else None,
        as_of=look.position,
    )
