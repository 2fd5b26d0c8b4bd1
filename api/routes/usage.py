"""What a tenant's own requests come to."""

from datetime import date, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import PlainValidator, WithJsonSchema
from pydantic_core import to_json
from starlette.responses import Response

from api.call import tenant_of
from api.openapi import kinds
from api.openapi.declaration import Answer, operation
from api.problems.problem import FieldError, ProblemError, validation_failed
from api.roles import Permission
from api.schemas import examples
from api.schemas.times import parse_date
from api.schemas.usage import UsagesBody
from api.services import services_of
from api.strict_route import StrictRoute
from infra.postgres.pool import reading
from infra.usage import UsageDay, read_usage

MOST_DAYS = 366

From = Annotated[
    date,
    PlainValidator(parse_date),
    WithJsonSchema({"type": "string", "format": "date", "examples": ["2026-03-01"]}),
    Query(alias="from", description="The first day, in UTC."),
]
To = Annotated[
    date,
    PlainValidator(parse_date),
    WithJsonSchema({"type": "string", "format": "date", "examples": ["2026-04-01"]}),
    Query(alias="to", description="The day after the last; at most 366 days later."),
]

router = APIRouter(route_class=StrictRoute)


@router.get(
    "/v1/usage",
    **operation(
        "readUsage",
        tag="operations",
        summary="Read what was used",
        description="What the tenant's requests came to, by day (UTC). Each process adds what it "
        "has counted every few seconds, so today's figures are behind by that much. Requests to "
        "`/metrics` and imports are not counted.",
        permission=Permission.READ,
        answer=Answer(description="The figures.", model=UsagesBody, example=examples.USAGES),
        problems=kinds.READ_PROBLEMS,
    ),
)
async def read(request: Request, start: From, end: To) -> Response:
    """Reads the figures."""
    if not start < end <= start + timedelta(days=MOST_DAYS):
        raise ProblemError(
            validation_failed(
                FieldError(
                    pointer="/query/to",
                    message=f"Expected a date after from, by at most {MOST_DAYS} days",
                )
            )
        )
    tenant_id = tenant_of(request)
    async with reading(services_of(request).pool, tenant_id) as conn:
        days = await read_usage(conn, tenant_id, start, end)
    return Response(
        to_json({"items": [_day(day) for day in days], "totals": _figures(days)}),
        media_type="application/json",
    )


def _day(day: UsageDay) -> dict[str, object]:
    return {"date": day.day, **_figures([day])}


def _figures(days: list[UsageDay]) -> dict[str, object]:
    return {
        "commands": sum(day.commands for day in days),
        "events": sum(day.events for day in days),
        "queries": sum(day.queries for day in days),
        "seconds": round(sum(day.seconds for day in days), 3),
        "refused": sum(day.refused for day in days),
    }
