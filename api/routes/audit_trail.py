"""Who did what, when, and by which request."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import TypeAdapter
from starlette.responses import Response

from api.call import tenant_of
from api.cursor import CursorScope
from api.openapi import kinds
from api.openapi.declaration import Answer, operation
from api.openapi.parameters import DEFAULT_PAGE, Cursor, Limit
from api.reading import found_page, projected
from api.rendering import trail_line_body
from api.roles import Permission
from api.schemas import examples
from api.schemas.audit_trail import TrailBody
from api.services import services_of
from api.strict_route import StrictRoute
from api.window import OpenEnd, check_order
from domain.ids import BookingId, ResourceId
from projections.audit_trail.listing import BEGINNING, TrailFilter, list_trail

MAX_ACTOR = 200

_POSITION = TypeAdapter(int)

router = APIRouter(route_class=StrictRoute)


@router.get(
    "/v1/audit-trail",
    **operation(
        "readAuditTrail",
        tag="log",
        summary="Read who did what",
        description="A line for each event, newest first, narrowed to a booking, a resource (its "
        "own lines, and those of its bookings), an actor, a type or a period. It follows the log "
        "within moments: `Min-Event-Position` waits for a write of yours. Where filters are "
        "combined, a page looks at a bounded number of lines: it may have fewer items than "
        "`limit`, or none, and yet not be the last.",
        permission=Permission.READ,
        takes=kinds.READ_HEADERS,
        answer=Answer(
            description="A page of the audit trail.",
            model=TrailBody,
            example=examples.TRAIL,
            headers=kinds.ANSWERS_PAGE,
        ),
        problems=kinds.READ_PROJECTED_PROBLEMS,
    ),
)
async def read(
    request: Request,
    booking_id: Annotated[
        BookingId | None,
        Query(description="Only lines of this booking.", examples=[examples.BOOKING_ID]),
    ] = None,
    resource_id: Annotated[
        ResourceId | None,
        Query(description="Only lines that concern this resource.", examples=[examples.STAGE_ID]),
    ] = None,
    actor: Annotated[
        str | None,
        Query(
            min_length=1,
            max_length=MAX_ACTOR,
            description="Only what this key or user did.",
            examples=[examples.ACTOR],
        ),
    ] = None,
    topic: Annotated[
        str | None,
        Query(
            alias="type",
            pattern=r"^[a-z]+\.[a-z_]+$",
            max_length=100,
            description="Only lines of this type.",
            examples=["booking.confirmed"],
        ),
    ] = None,
    start: Annotated[
        OpenEnd,
        Query(alias="from", description="Only what was recorded at or after this time."),
    ] = None,
    end: Annotated[
        OpenEnd,
        Query(alias="to", description="Only what was recorded before this time."),
    ] = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE,
) -> Response:
    """Reads the audit trail."""
    check_order(start, end)
    wanted = TrailFilter(
        subject_id=booking_id,
        resource_id=resource_id,
        actor=actor,
        topic=topic,
        start=start,
        end=end,
    )
    cursors, tenant_id = services_of(request).cursors, tenant_of(request)
    bound = CursorScope(tenant_id=tenant_id, of="audit-trail", filters=asdict(wanted))
    before = cursors.open(_POSITION, cursor, bound) if cursor else BEGINNING
    async with projected(request, "audit_trail") as look:
        page = await list_trail(
            look.conn,
            tenant_id=tenant_id,
            generation=look.generation,
            wanted=wanted,
            before=before,
            limit=limit,
        )
    return found_page(
        request,
        [trail_line_body(line) for line in page.lines],
        next_cursor=None if page.next_before is None else cursors.seal(page.next_before, bound),
        as_of=look.position,
    )
