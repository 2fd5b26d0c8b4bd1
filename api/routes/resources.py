"""Registering, listing, reading, changing and retiring what can be booked."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Body, Query, Request
from pydantic import TypeAdapter
from starlette.responses import Response

from api.cached_reads import answered
from api.cached_route import CachedRoute
from api.call import tenant_of
from api.cursor import CursorScope
from api.openapi import headers, kinds, links
from api.openapi.declaration import Answer, operation
from api.openapi.parameters import DEFAULT_PAGE, Cursor, Limit, ResourcePath
from api.problems import catalogue
from api.questions import resource_question
from api.reading import found_page, snapshot
from api.rendering import listed_resource_body
from api.roles import Permission
from api.schemas import examples
from api.schemas.fields import Kind
from api.schemas.resource_bodies import ResourceBody, ResourceListBody
from api.schemas.resource_forms import ChangeForm, RegisterForm, RetireForm
from api.services import services_of
from api.strict_route import StrictRequest
from api.writing import execute
from domain.commands import RetireResource
from domain.ids import ResourceId
from infra.identity import new_id
from projections.resource.listing import BEGINNING, ResourceMark, list_resources

_MARK = TypeAdapter(ResourceMark)

router = APIRouter(route_class=CachedRoute)


@router.post(
    "/v1/resources",
    **operation(
        "registerResource",
        tag="resources",
        summary="Register a resource",
        description="Makes something bookable: a room, a stage, a camera, a person, a street.",
        permission=Permission.CONFIGURE,
        takes=[headers.TAKES_IDEMPOTENCY_KEY],
        answer=Answer(
            status=HTTPStatus.CREATED,
            description="Registered.",
            model=ResourceBody,
            example=examples.RESOURCE,
            headers=kinds.ANSWERS_NEW,
            links=links.OF_RESOURCE,
        ),
        problems=kinds.FORM_PROBLEMS,
    ),
)
async def register(request: StrictRequest, form: RegisterForm) -> Response:
    """Registers."""
    return await execute(request, form.command(ResourceId(new_id())))


@router.get(
    "/v1/resources",
    **operation(
        "listResources",
        tag="resources",
        summary="List resources",
        description="By name, retired ones among them.",
        permission=Permission.READ,
        takes=kinds.READ_HEADERS,
        answer=Answer(
            description="A page of resources.",
            model=ResourceListBody,
            example=examples.RESOURCES,
            headers=kinds.ANSWERS_PAGE,
        ),
        problems=kinds.READ_PROBLEMS,
    ),
)
async def list_all(
    request: Request,
    kind: Annotated[
        Kind | None, Query(description="Only resources of this kind.", examples=["stage"])
    ] = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE,
) -> Response:
    """Lists."""
    cursors, tenant_id = (
        services_of(request).cursors,
        tenant_of(request),
    )
    bound = CursorScope(tenant_id=tenant_id, of="resources", filters={"kind": kind})
    after = cursors.open(_MARK, cursor, bound) if cursor else BEGINNING
    async with snapshot(request) as look:
        page = await list_resources(
            look.conn, tenant_id=tenant_id, kind=kind, after=after, limit=limit
        )
    mark = page.next_after
    return found_page(
        request,
        [listed_resource_body(resource) for resource in page.resources],
        next_cursor=None if mark is None else cursors.seal(mark, bound),
        as_of=look.head,
    )


@router.get(
    "/v1/resources/{resource_id}",
    **operation(
        "readResource",
        tag="resources",
        summary="Read a resource",
        description="Folds the resource from its events, so the answer is never stale.",
        permission=Permission.READ,
        takes=(*kinds.READ_HEADERS, headers.TAKES_IF_NONE_MATCH),
        answer=Answer(
            description="The resource; 304 without it if it is still that of `If-None-Match`.",
            model=ResourceBody,
            example=examples.RESOURCE,
            headers=kinds.ANSWERS_ONE,
            links=links.OF_RESOURCE,
        ),
        problems=kinds.READ_ONE_PROBLEMS,
    ),
)
async def read_resource(request: Request, resource_id: ResourcePath) -> Response:
    """Reads a resource."""
    question = resource_question(services_of(request), tenant_of(request), resource_id)
    return await answered(request, question)


@router.patch(
    "/v1/resources/{resource_id}",
    **operation(
        "changeResource",
        tag="resources",
        summary="Change a resource",
        description="Changes name, kind, time zone and attributes. What is absent stays.",
        permission=Permission.CONFIGURE,
        takes=kinds.CHANGE_HEADERS,
        answer=Answer(
            description="The resource, changed.",
            model=ResourceBody,
            example=examples.RESOURCE,
            headers=kinds.ANSWERS_CHANGE,
            links=links.OF_RESOURCE,
        ),
        problems=kinds.CHANGE_PROBLEMS,
    ),
)
async def change(request: StrictRequest, resource_id: ResourcePath, form: ChangeForm) -> Response:
    """Changes."""
    return await execute(request, form.command(resource_id))


@router.post(
    "/v1/resources/{resource_id}/retire",
    **operation(
        "retireResource",
        tag="resources",
        summary="Retire a resource",
        description="It takes no new claims from now on; what is booked on it stays.",
        permission=Permission.CONFIGURE,
        takes=kinds.CHANGE_HEADERS,
        answer=Answer(
            description="The resource, retired.",
            model=ResourceBody,
            example={**examples.RESOURCE, "retired": True, "version": 2, "position": 5},
            headers=kinds.ANSWERS_CHANGE,
            links=links.OF_RETIRED_RESOURCE,
        ),
        problems=[*kinds.CHANGE_PROBLEMS, catalogue.RESOURCE_RETIRED],
    ),
)
async def retire(
    request: StrictRequest,
    resource_id: ResourcePath,
    _form: Annotated[RetireForm | None, Body(description="Nothing; may be left out.")] = None,
) -> Response:
    """Retires."""
    return await execute(request, RetireResource(resource_id=resource_id))
