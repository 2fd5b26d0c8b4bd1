"""What was refused by the rules of booking, to whom, and because of what."""

from dataclasses import asdict
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import TypeAdapter
from starlette.responses import Response

from api.call import tenant_of
from api.cursor import CursorScope
from api.openapi import kinds
from api.openapi.declaration import Answer, operation
from api.openapi.parameters import DEFAULT_PAGE, Cursor, Limit
from api.reading import found_page, snapshot
from api.rendering import refusal_body
from api.roles import Permission
from api.schemas import examples
from api.schemas.refusals import RefusalsBody
from api.services import services_of
from api.strict_route import StrictRoute
from api.window import OpenEnd, check_order
from domain.ids import ResourceId
from infra.refusals import RefusalFilter, RefusalPlace, list_refusals
from infra.refusals.listing import BEGINNING

Reason = Literal[
    "booking-conflict",
    "too-many-holds",
    "resource-retired",
    "unknown-resource",
    "hold-lapsed",
    "invalid-transition",
]

_PLACE = TypeAdapter(RefusalPlace)

router = APIRouter(route_class=StrictRoute)


@router.get(
    "/v1/refusals",
    **operation(
        "listRefusals",
        tag="log",
        summary="List what was refused",
        description="Commands that a rule of booking refused, newest first: what was wanted, and "
        "which bookings were in the way. Each process writes what it refused every second, beside "
        "the commands: in a flood, or while the database is sick, some may be missing. What is "
        "older than 90 days goes, and of one tenant's more than 100,000 the oldest.",
        permission=Permission.READ,
        takes=kinds.READ_HEADERS,
        answer=Answer(
            description="A page of refusals.",
            model=RefusalsBody,
            example=examples.REFUSALS,
            headers=kinds.ANSWERS_PAGE,
        ),
        problems=kinds.READ_PROBLEMS,
    ),
)
async def read(
    request: Request,
    reason: Annotated[
        Reason | None,
        Query(description="Only refusals for this reason.", examples=["booking-conflict"]),
    ] = None,
    resource_id: Annotated[
        ResourceId | None,
        Query(
            description="Only where this resource was wanted, alone or with others.",
            examples=[examples.STAGE_ID],
        ),
    ] = None,
    start: Annotated[
        OpenEnd,
        Query(alias="from", description="Only what was refused at or after this time."),
    ] = None,
    end: Annotated[
        OpenEnd,
        Query(alias="to", description="Only what was refused before this time."),
    ] = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE,
) -> Response:
    """Lists what was refused."""
    check_order(start, end)
    wanted = RefusalFilter(reason=reason, resource_id=resource_id, start=start, end=end)
    services, tenant_id = services_of(request), tenant_of(request)
    bound = CursorScope(tenant_id=tenant_id, of="refusals", filters=asdict(wanted))
    before = services.cursors.open(_PLACE, cursor, bound) if cursor else BEGINNING
    async with snapshot(request) as look:
        # One more than shown tells whether there is another page.
        refused = await list_refusals(
            look.conn, tenant_id=tenant_id, wanted=wanted, before=before, limit=limit + 1
        )
    shown = refused[:limit]
    next_cursor = None
    if len(refused) > limit:
        last = shown[-1]
        next_cursor = services.cursors.seal(RefusalPlace(last.refused_at, last.refusal_id), bound)
    return found_page(
        request,
        [refusal_body(each) for each in shown],
        next_cursor=next_cursor,
        as_of=look.head,
    )
