"""What became of the messages to a webhook endpoint, and messages that are sent once more."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from pydantic import TypeAdapter
from pydantic_core import to_json
from starlette.responses import Response

from api.call import tenant_of
from api.cursor import CursorScope
from api.openapi import kinds
from api.openapi.declaration import Answer, operation
from api.openapi.parameters import DEFAULT_PAGE, Cursor, EndpointPath, Limit, PositionPath
from api.problems import catalogue
from api.problems.from_errors import not_found
from api.problems.problem import FieldError, ProblemError, validation_failed
from api.reading import found, found_page, snapshot
from api.rendering_webhooks import delivery_body, delivery_with_tries_body
from api.roles import Permission
from api.routes.webhook_endpoints import ENDPOINT, ENDPOINTS
from api.schemas import examples
from api.schemas.webhook_endpoint_bodies import (
    WebhookDeliveriesBody,
    WebhookDeliveryWithTriesBody,
    WebhookReplayedBody,
)
from api.schemas.webhook_endpoint_forms import ReplayForm
from api.services import services_of
from api.strict_route import StrictRequest, StrictRoute
from api.writing import JSON
from api.writing_once import write_once
from infra.webhooks.deliveries import (
    WHOLE_LOG,
    CannotReplay,
    list_deliveries,
    read_delivery,
    send_once_more,
)
from infra.webhooks.endpoints import read_endpoint
from infra.webhooks.messages import State

_BEFORE = TypeAdapter(int)

router = APIRouter(route_class=StrictRoute)


@router.get(
    ENDPOINTS + "/{endpoint_id}/deliveries",
    **operation(
        "listWebhookDeliveries",
        tag="webhooks",
        summary="List what became of messages",
        description="Messages to an endpoint, those of the latest events first. Those that came "
        "to their end are kept for 30 days, and of one endpoint the latest 10,000.",
        permission=Permission.INTEGRATE,
        takes=kinds.READ_HEADERS,
        answer=Answer(
            description="A page of messages.",
            model=WebhookDeliveriesBody,
            example=examples.WEBHOOK_DELIVERIES,
            headers=kinds.ANSWERS_PAGE,
        ),
        problems=kinds.READ_ONE_PROBLEMS,
    ),
)
async def list_some(
    request: Request,
    endpoint_id: EndpointPath,
    state: Annotated[State | None, Query(description="Only these.", examples=["given_up"])] = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE,
) -> Response:
    """Lists."""
    services, tenant_id = services_of(request), tenant_of(request)
    bound = CursorScope(
        tenant_id=tenant_id,
        of="webhook deliveries",
        filters={"endpoint_id": endpoint_id, "state": state},
    )
    before = services.cursors.open(_BEFORE, cursor, bound) if cursor else WHOLE_LOG
    async with snapshot(request) as look:
        if await read_endpoint(look.conn, tenant_id, endpoint_id) is None:
            raise ProblemError(not_found(ENDPOINT, endpoint_id))
        # One more than shown tells whether there is another page.
        listed = await list_deliveries(
            look.conn, tenant_id, endpoint_id, state=state, before=before, limit=limit + 1
        )
    shown, next_cursor = listed[:limit], None
    if len(listed) > limit:
        next_cursor = services.cursors.seal(shown[-1].position, bound)
    return found_page(
        request,
        [delivery_body(tenant_id, each) for each in shown],
        next_cursor=next_cursor,
        as_of=look.head,
    )


@router.get(
    ENDPOINTS + "/{endpoint_id}/deliveries/{position}",
    **operation(
        "readWebhookDelivery",
        tag="webhooks",
        summary="Read what became of a message",
        description="With each try: when, how long it took, what was answered.",
        permission=Permission.INTEGRATE,
        takes=kinds.READ_HEADERS,
        answer=Answer(
            description="The message.",
            model=WebhookDeliveryWithTriesBody,
            example=examples.WEBHOOK_DELIVERY_WITH_TRIES,
            headers=kinds.ANSWERS_READ,
        ),
        problems=kinds.READ_ONE_PROBLEMS,
    ),
)
async def read(request: Request, endpoint_id: EndpointPath, position: PositionPath) -> Response:
    """Reads one."""
    tenant_id = tenant_of(request)
    async with snapshot(request) as look:
        delivery = await read_delivery(look.conn, tenant_id, endpoint_id, position)
    if delivery is None:
        raise ProblemError(not_found(f"message to {endpoint_id} about position", position))
    return found(delivery_with_tries_body(tenant_id, delivery), as_of=look.head)


@router.post(
    ENDPOINTS + "/{endpoint_id}/deliveries/{position}/replay",
    **operation(
        "replayWebhookDelivery",
        tag="webhooks",
        summary="Send a message once more",
        description="An event that the endpoint was sent before, or that was not of its types "
        "then. It has the same `webhook-id`. What waits goes on waiting.",
        permission=Permission.INTEGRATE,
        takes=kinds.ONCE_HEADERS,
        answer=Answer(
            description="How much is sent once more.",
            model=WebhookReplayedBody,
            example={"messages": 1},
            headers=kinds.ANSWERS_ONCE,
        ),
        problems=(*kinds.ONCE_PROBLEMS, catalogue.NOT_FOUND),
    ),
)
async def replay_one(
    request: StrictRequest, endpoint_id: EndpointPath, position: PositionPath
) -> Response:
    """Sends one once more."""
    return await _replay(request, endpoint_id, position - 1, position, "/path/position")


@router.post(
    ENDPOINTS + "/{endpoint_id}/replay",
    **operation(
        "replayWebhookDeliveries",
        tag="webhooks",
        summary="Send the messages of a span once more",
        description="The events of a span of positions, of the endpoint's types, in the order of "
        "the log. They have the same `webhook-id` as before. What waits goes on waiting.",
        permission=Permission.INTEGRATE,
        takes=kinds.ONCE_HEADERS,
        answer=Answer(
            description="How much is sent once more.",
            model=WebhookReplayedBody,
            example=examples.WEBHOOK_REPLAYED,
            headers=kinds.ANSWERS_ONCE,
        ),
        problems=(*kinds.ONCE_FORM_PROBLEMS, catalogue.NOT_FOUND),
    ),
)
async def replay_span(
    request: StrictRequest, endpoint_id: EndpointPath, form: ReplayForm
) -> Response:
    """Sends several once more."""
    if form.until <= form.after:
        fault = FieldError(pointer="/until", message="Expected a position above after")
        raise ProblemError(validation_failed(fault))
    return await _replay(request, endpoint_id, form.after, form.until, "/until")


async def _replay(
    request: StrictRequest, endpoint_id: EndpointPath, after: int, until: int, pointer: str
) -> Response:
    tenant_id = tenant_of(request)

    async def replayed(conn: AsyncConnection[TupleRow]) -> Response:
        try:
            messages = await send_once_more(conn, tenant_id, endpoint_id, after=after, until=until)
        except CannotReplay as error:
            raise ProblemError(
                validation_failed(FieldError(pointer=pointer, message=str(error)))
            ) from error
        if messages is None:
            raise ProblemError(not_found(ENDPOINT, endpoint_id))
        return Response(to_json({"messages": messages}), media_type=JSON)

    return await write_once(request, replayed)
