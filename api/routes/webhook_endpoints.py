"""Making, listing, changing and taking away the addresses to which events are sent."""

from datetime import timedelta
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Body, Request
from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from pydantic_core import to_json
from starlette.responses import Response

from api.call import tenant_of
from api.openapi import headers, kinds
from api.openapi.declaration import Answer, operation
from api.openapi.parameters import EndpointPath
from api.problems import catalogue
from api.problems.from_errors import not_found
from api.problems.problem import FieldError, Problem, ProblemError, validation_failed
from api.reading import found, snapshot
from api.rendering_webhooks import endpoint_body, endpoint_with_secret_body
from api.roles import Permission
from api.schemas import examples
from api.schemas.webhook_endpoint_bodies import (
    WebhookEndpointBody,
    WebhookEndpointsBody,
    WebhookEndpointWithSecretBody,
)
from api.schemas.webhook_endpoint_forms import ChangeEndpointForm, EndpointForm, RotateForm
from api.services import Services, services_of
from api.strict_route import StrictRequest, StrictRoute
from api.writing import JSON
from api.writing_once import write_once
from infra.webhooks.endpoints import MOST_ENDPOINTS, TooManyEndpoints, all_endpoints, read_endpoint

ENDPOINTS = "/v1/webhook-endpoints"
ENDPOINT = "webhook endpoint"

router = APIRouter(route_class=StrictRoute)


@router.post(
    ENDPOINTS,
    **operation(
        "makeWebhookEndpoint",
        tag="webhooks",
        summary="Have events sent to an address",
        description="Each event is posted as `GET /v1/events` shows it, signed as Standard "
        "Webhooks has it with the secret that is answered here, this once. An event may come more "
        "than once, always with the same `webhook-id`; those of one booking or resource come in "
        "order. Answer 2xx within 15 seconds. Whatever else is answered is sent again, for three "
        "days; 410 disables the endpoint. Under an `Idempotency-Key` it is made once, and whoever "
        "asks again is answered the same secret.",
        permission=Permission.INTEGRATE,
        takes=kinds.ONCE_HEADERS,
        answer=Answer(
            status=HTTPStatus.CREATED,
            description="The endpoint, with its secret.",
            model=WebhookEndpointWithSecretBody,
            example=examples.WEBHOOK_ENDPOINT_WITH_SECRET,
            headers=(headers.LOCATION, *kinds.ANSWERS_ONCE),
        ),
        problems=(*kinds.ONCE_FORM_PROBLEMS, catalogue.TOO_MANY_WEBHOOK_ENDPOINTS),
    ),
)
async def make(request: StrictRequest, form: EndpointForm) -> Response:
    """Makes one."""
    services, tenant_id = services_of(request), tenant_of(request)
    check_address(services, form.url)

    async def made(conn: AsyncConnection[TupleRow]) -> Response:
        endpoints = services.webhook_endpoints
        try:
            new = await endpoints.make(conn, tenant_id, form.wanted(), form.after)
        except TooManyEndpoints as error:
            raise ProblemError(
                Problem(
                    kind=catalogue.TOO_MANY_WEBHOOK_ENDPOINTS,
                    detail=f"The tenant has {MOST_ENDPOINTS} webhook endpoints.",
                )
            ) from error
        return Response(
            to_json(endpoint_with_secret_body(new)),
            status_code=HTTPStatus.CREATED,
            headers={"Location": f"{ENDPOINTS}/{new.endpoint.endpoint_id}"},
            media_type=JSON,
        )

    return await write_once(request, made)


@router.get(
    ENDPOINTS,
    **operation(
        "listWebhookEndpoints",
        tag="webhooks",
        summary="List webhook endpoints",
        description="All of them, those that are disabled among them.",
        permission=Permission.INTEGRATE,
        takes=kinds.READ_HEADERS,
        answer=Answer(
            description="The endpoints.",
            model=WebhookEndpointsBody,
            example=examples.WEBHOOK_ENDPOINTS,
            headers=kinds.ANSWERS_READ,
        ),
        problems=kinds.READ_PROBLEMS,
    ),
)
async def list_all(request: Request) -> Response:
    """Lists."""
    async with snapshot(request) as look:
        endpoints = await all_endpoints(look.conn, look.tenant_id)
    return found({"items": [endpoint_body(each) for each in endpoints]}, as_of=look.head)


@router.post(
    ENDPOINTS + "/{endpoint_id}/rotate-secret",
    **operation(
        "rotateWebhookSecret",
        tag="webhooks",
        summary="Replace the secret of a webhook endpoint",
        description="From now on messages are signed with the secret that is answered here, this "
        "once; for a while also with the one before, so that each message has two signatures.",
        permission=Permission.INTEGRATE,
        takes=kinds.ONCE_HEADERS,
        answer=Answer(
            description="The endpoint, with its new secret.",
            model=WebhookEndpointWithSecretBody,
            example=examples.WEBHOOK_ENDPOINT_WITH_SECRET,
            headers=kinds.ANSWERS_ONCE,
        ),
        problems=(*kinds.ONCE_FORM_PROBLEMS, catalogue.NOT_FOUND),
    ),
)
async def rotate(
    request: StrictRequest,
    endpoint_id: EndpointPath,
    form: Annotated[RotateForm | None, Body(description="May be left out.")] = None,
) -> Response:
    """Replaces the secret."""
    overlap = timedelta(hours=(form or RotateForm()).overlap_hours)
    endpoints, tenant_id = services_of(request).webhook_endpoints, tenant_of(request)

    async def rotated(conn: AsyncConnection[TupleRow]) -> Response:
        made = await endpoints.rotate(conn, tenant_id, endpoint_id, overlap)
        if made is None:
            raise ProblemError(not_found(ENDPOINT, endpoint_id))
        return _answered(endpoint_with_secret_body(made))

    return await write_once(request, rotated)


@router.get(
    ENDPOINTS + "/{endpoint_id}",
    **operation(
        "readWebhookEndpoint",
        tag="webhooks",
        summary="Read a webhook endpoint",
        description="With the notices that say when and why it was disabled.",
        permission=Permission.INTEGRATE,
        takes=kinds.READ_HEADERS,
        answer=Answer(
            description="The endpoint.",
            model=WebhookEndpointBody,
            example=examples.WEBHOOK_ENDPOINT,
            headers=kinds.ANSWERS_READ,
        ),
        problems=kinds.READ_ONE_PROBLEMS,
    ),
)
async def read(request: Request, endpoint_id: EndpointPath) -> Response:
    """Reads one."""
    async with snapshot(request) as look:
        endpoint = await read_endpoint(look.conn, look.tenant_id, endpoint_id)
    if endpoint is None:
        raise ProblemError(not_found(ENDPOINT, endpoint_id))
    return found(endpoint_body(endpoint), as_of=look.head)


@router.patch(
    ENDPOINTS + "/{endpoint_id}",
    **operation(
        "changeWebhookEndpoint",
        tag="webhooks",
        summary="Change a webhook endpoint",
        description="Changes its address, types and description; disables it, and enables it "
        "again. What is absent stays.",
        permission=Permission.INTEGRATE,
        takes=kinds.ONCE_HEADERS,
        answer=Answer(
            description="The endpoint, changed.",
            model=WebhookEndpointBody,
            example=examples.WEBHOOK_ENDPOINT,
            headers=kinds.ANSWERS_ONCE,
        ),
        problems=(*kinds.ONCE_FORM_PROBLEMS, catalogue.NOT_FOUND),
    ),
)
async def change(
    request: StrictRequest, endpoint_id: EndpointPath, form: ChangeEndpointForm
) -> Response:
    """Changes one."""
    services, tenant_id = services_of(request), tenant_of(request)
    if "url" in form.model_fields_set:
        check_address(services, form.url)

    async def changed(conn: AsyncConnection[TupleRow]) -> Response:
        endpoints = services.webhook_endpoints
        endpoint = await endpoints.change(conn, tenant_id, endpoint_id, form.wanted)
        if endpoint is None:
            raise ProblemError(not_found(ENDPOINT, endpoint_id))
        return _answered(endpoint_body(endpoint))

    return await write_once(request, changed)


@router.delete(
    ENDPOINTS + "/{endpoint_id}",
    **operation(
        "deleteWebhookEndpoint",
        tag="webhooks",
        summary="Delete a webhook endpoint",
        description="With all that is kept of its messages; what is under way may still arrive.",
        permission=Permission.INTEGRATE,
        takes=kinds.ONCE_HEADERS,
        answer=Answer(
            description="It is no more.",
            status=HTTPStatus.NO_CONTENT,
            example=None,
            headers=kinds.ANSWERS_ONCE,
        ),
        problems=(*kinds.ONCE_PROBLEMS, catalogue.NOT_FOUND),
    ),
)
async def delete(request: StrictRequest, endpoint_id: EndpointPath) -> Response:
    """Takes one away."""
    endpoints, tenant_id = services_of(request).webhook_endpoints, tenant_of(request)

    async def deleted(conn: AsyncConnection[TupleRow]) -> Response:
        if not await endpoints.delete(conn, tenant_id, endpoint_id):
            raise ProblemError(not_found(ENDPOINT, endpoint_id))
        return Response(status_code=HTTPStatus.NO_CONTENT)

    return await write_once(request, deleted)


def check_address(services: Services, url: str) -> None:
    """Refuses an address to which nothing could be sent.

    Args:
        services: know where messages may go.
        url: it.

    Raises:
        ProblemError: it is one (validation-failed).
    """
    fault = services.webhook_endpoints.fault_in(url)
    if fault is not None:
        raise ProblemError(validation_failed(FieldError(pointer="/url", message=fault)))


def _answered(body: object) -> Response:
    return Response(to_json(body), media_type=JSON)
