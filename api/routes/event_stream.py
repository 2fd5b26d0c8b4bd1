"""The log as it grows, for clients that listen."""

from collections.abc import AsyncIterator
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from api.admission import Admission
from api.call import Call, call_of
from api.headers import MAX_POSITION, read_last_event_id
from api.live.event_stream import EventStream, snapshot_required
from api.live.rooms import can_go_on, room_of
from api.openapi import headers, kinds
from api.openapi.declaration import Answer, operation
from api.roles import Permission, may
from api.schemas import examples
from api.schemas.live import STREAM_EVENT
from api.services import Services, services_of
from api.strict_route import StrictRoute
from domain.ids import TenantId

_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
"""The second keeps nginx from gathering what is to be sent at once."""

_MEDIA_TYPE = "text/event-stream"

router = APIRouter(route_class=StrictRoute)


@router.get(
    "/v1/events/stream",
    **operation(
        "streamEvents",
        tag="log",
        summary="Listen to changes",
        description="Server-Sent Events: what the log has after the position, and what it gets, "
        "for as long as the client listens. `change` tells of one event, with the booking or "
        "resource as it is then, and with what was taken and freed; a message that names a later "
        "`prev` than the last position known shows that something was lost. `heartbeat` tells "
        "every few seconds where the room should be. `snapshot_required` comes to who was "
        "away for more than 5,000 events, or knows of more than the log has: read anew, and listen "
        "from the Event-Position of that answer. Without a position: from now on.",
        permission=Permission.READ,
        takes=(headers.TAKES_LAST_EVENT_ID,),
        answer=Answer(
            description="The stream.",
            example=examples.EVENT_STREAM,
            media_type=_MEDIA_TYPE,
            schema=STREAM_EVENT,
        ),
        problems=kinds.READ_ONE_PROBLEMS,
    ),
)
async def listen(
    request: Request,
    resource_id: Annotated[
        UUID | None,
        Query(
            description="Only what happens to this resource and its bookings.",
            examples=[examples.STAGE_ID],
        ),
    ] = None,
    booking_id: Annotated[
        UUID | None,
        Query(description="Only what happens to this booking.", examples=[examples.BOOKING_ID]),
    ] = None,
    after: Annotated[
        int | None,
        Query(
            ge=0,
            le=MAX_POSITION,
            description="The last position known; `Last-Event-ID` goes before it.",
            examples=[3],
        ),
    ] = None,
    seconds: Annotated[
        int | None,
        Query(
            ge=0,
            le=86_400,
            description="How long to listen; 0 to be told what was missed, and no more. By "
            "default until the client leaves.",
            examples=[0],
        ),
    ] = None,
) -> Response:
    """Streams a room."""
    services, call = services_of(request), call_of(request.scope)
    tenant_id = call.authenticated.tenant_id
    last = read_last_event_id(request.scope["headers"])
    room = await room_of(services, tenant_id, resource_id, booking_id)
    feed = await services.feed.follow(tenant_id)
    known = last if last is not None else after
    if call.without_body:
        return Response(headers=_HEADERS, media_type=_MEDIA_TYPE)
    if not await can_go_on(feed, known):
        over = snapshot_required(room, feed.position)
        return Response(over, headers=_HEADERS, media_type=_MEDIA_TYPE)
    stream = EventStream(feed, room, services.draining, lambda: _may_listen(services, call))
    call.streaming = True
    return _Held(
        stream.since(known, seconds),
        services.listeners,
        tenant_id,
    )


class _Held(StreamingResponse):
    """A stream that has one of the places for those who listen, for as long as it lasts."""

    def __init__(self, parts: AsyncIterator[bytes], places: Admission, tenant_id: TenantId) -> None:
        super().__init__(parts, headers=_HEADERS, media_type=_MEDIA_TYPE)
        self._places = places
        self._tenant_id = tenant_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers.

        Raises:
            TurnedAway: there is no place.
        """
        with self._places.place(self._tenant_id):
            await super().__call__(scope, receive, send)


async def _may_listen(services: Services, call: Call) -> bool:
    """Tells whether the key or token that the request has shown is still good for this."""
    principal = await services.authenticator.authenticate(call.shown)
    return (
        principal is not None
        and principal.tenant_id == call.authenticated.tenant_id
        and may(Permission.READ, principal)
    )
