"""What became of the messages to a webhook endpoint, and messages that are sent once more."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import TypeAdapter
from pydantic_core import to_json
from starlette.responses import Response

from api.call import tenant_of
from api.cursor import CursorScope
from api.openapi import headers, kinds
from api.openapi.declaration import Answer, operation
from api.openapi.parameters import DEFAULT_PAGE, Cursor, EndpointPath, Limit, PositionPath
from api.problems import catalogue
from api.problems.from_errors import not_found
from api.problems.problem import FieldError, ProblemError, validation_failed
from api.reading import next_link
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
from infra.webhooks.deliveries import WHOLE_LOG, CannotReplay
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
        answer=Answer(
            description="A page of messages.",
            model=WebhookDeliveriesBody,
            example=examples.WEBHOOK_DELIVERIES,
            headers=(headers.LINK,),
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
    if await services.webhook_endpoints.one(tenant_id, endpoint_id) is None:
        raise ProblemError(not_found(ENDPOINT, endpoint_id))
    # One more than shown tells whether there is another page.
    found = await services.webhook_deliveries.some(
        tenant_id, endpoint_id, state=state, before=before, limit=limit + 1
    )
    shown, next_cursor = found[:limit], None
    if len(found) > limit:
        next_cursor = services.cursors.seal(shown[-1].position, bound)
    items = [delivery_body(tenant_id, each) for each in shown]
    return Response(
        to_json({"items": items, "next_cursor": next_cursor}),
        headers=None if next_cursor is None else next_link(request, cursor=next_cursor),
        media_type=JSON,
    )


@router.get(
    ENDPOINTS + "/{endpoint_id}/deliveries/{position}",
    **operation(
        "readWebhookDelivery",
        tag="webhooks",
        summary="Read what became of a message",
        description="With each try: when, how long it took, what was answered.",
        permission=Permission.INTEGRATE,
        answer=Answer(
            description="The message.",
            model=WebhookDeliveryWithTriesBody,
            example=examples.WEBHOOK_DELIVERY_WITH_TRIES,
        ),
        problems=kinds.READ_ONE_PROBLEMS,
    ),
)
async def read(request: Request, endpoint_id: EndpointPath, position: PositionPath) -> Response:
    """Reads one."""
    tenant_id = tenant_of(request)
    deliveries = services_of(request).webhook_deliveries
    delivery = await deliveries.one(tenant_id, endpoint_id, position)
    if delivery is None:
        raise ProblemError(not_found(f"message to {endpoint_id} about position", position))
    return Response(to_json(delivery_with_tries_body(tenant_id, delivery)), media_type=JSON)


@router.post(
    ENDPOINTS + "/{endpoint_id}/deliveries/{position}/replay",
    **operation(
        "replayWebhookDelivery",
        tag="webhooks",
        summary="Send a message once more",
        description="An event that the endpoint was sent before, or that was not of its types "
        "then. It has the same `webhook-id`. What waits goes on waiting.",
        permission=Permission.INTEGRATE,
        answer=Answer(
            description="How much is sent once more.",
            model=WebhookReplayedBody,
            example={"messages": 1},
        ),
        problems=kinds.READ_ONE_PROBLEMS,
    ),
)
async def replay_one(
    request: Request, endpoint_id: EndpointPath, position: PositionPath
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
        answer=Answer(
            description="How much is sent once more.",
            model=WebhookReplayedBody,
            example=examples.WEBHOOK_REPLAYED,
        ),
        problems=(*kinds.PLAIN_FORM_PROBLEMS, catalogue.NOT_FOUND),
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
    request: Request, endpoint_id: EndpointPath, after: int, until: int, pointer: str
) -> Response:
    deliveries = services_of(request).webhook_deliveries
    try:
        messages = await deliveries.replay(tenant_of(request), endpoint_id, after, until)
    except CannotReplay as error:
        raise ProblemError(
            validation_failed(FieldError(pointer=pointer, message=str(error)))
        ) from error
    if messages is None:
        raise ProblemError(not_found(ENDPOINT, endpoint_id))
    return Response(to_json({"messages": messages}), media_type=JSON)
