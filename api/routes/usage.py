"""What a tenant's own requests come to."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from api.days import EndDay, FirstDay, check_days
from api.openapi import kinds
from api.openapi.declaration import Answer, operation
from api.reading import found, snapshot
from api.roles import Permission
from api.schemas import examples
from api.schemas.usage import UsagesBody
from api.strict_route import StrictRoute
from infra.usage import UsageDay, read_usage

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
        takes=kinds.READ_HEADERS,
        answer=Answer(
            description="The figures.",
            model=UsagesBody,
            example=examples.USAGES,
            headers=kinds.ANSWERS_READ,
        ),
        problems=kinds.READ_PROBLEMS,
    ),
)
async def read(request: Request, start: FirstDay, end: EndDay) -> Response:
    """Reads the figures."""
    check_days(start, end)
    async with snapshot(request) as look:
        days = await read_usage(look.conn, look.tenant_id, start, end)
    return found({"items": [_day(day) for day in days], "totals": _figures(days)}, as_of=look.head)


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
