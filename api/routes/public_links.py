"""Making a resource's availability public, and private again."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Body, Request
from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from pydantic_core import to_json
from starlette.responses import Response

from api.call import call_of, tenant_of
from api.openapi import kinds
from api.openapi.declaration import Answer, operation
from api.openapi.parameters import ResourcePath
from api.problems import catalogue
from api.problems.from_errors import not_found
from api.problems.problem import ProblemError
from api.public_address import PAGE, PUBLIC
from api.reading import found, snapshot
from api.roles import Permission
from api.schemas import examples
from api.schemas.public_availability import PublicLinkBody, PublishForm
from api.services import services_of
from api.strict_route import StrictRequest, StrictRoute
from api.writing import JSON
from api.writing_once import write_once
from infra.publishing import PublicLink, Published, find_link, publish, unpublish
from projections.resource.listing import names_of

router = APIRouter(route_class=StrictRoute)

_PATH = "/v1/resources/{resource_id}/public-link"


@router.post(
    _PATH,
    **operation(
        "publishAvailability",
        tag="resources",
        summary="Make availability public",
        description="Gives the resource a link under which anybody may read when it is free, and "
        "its name: no bookings, no titles, nobody's names. A resource that has a link keeps it.",
        permission=Permission.CONFIGURE,
        takes=kinds.ONCE_HEADERS,
        answer=Answer(
            description="Its link.",
            model=PublicLinkBody,
            example=examples.PUBLIC_LINK,
            headers=kinds.ANSWERS_ONCE,
        ),
        problems=(*kinds.ONCE_FORM_PROBLEMS, catalogue.NOT_FOUND),
    ),
)
async def make(
    request: StrictRequest,
    resource_id: ResourcePath,
    _form: Annotated[PublishForm | None, Body(description="Nothing; may be left out.")] = None,
) -> Response:
    """Publishes."""
    tenant_id = tenant_of(request)

    async def made(conn: AsyncConnection[TupleRow]) -> Response:
        link = await publish(conn, tenant_id, resource_id, call_of(request.scope).actor)
        if link is None:
            raise ProblemError(not_found("resource", resource_id))
        return Response(to_json(_body(request, link)), media_type=JSON)

    return await write_once(request, made)


@router.get(
    _PATH,
    **operation(
        "readPublicLink",
        tag="resources",
        summary="Read the public link",
        description="The link under which anybody may read when the resource is free.",
        permission=Permission.CONFIGURE,
        takes=kinds.READ_HEADERS,
        answer=Answer(
            description="Its link.",
            model=PublicLinkBody,
            example=examples.PUBLIC_LINK,
            headers=kinds.ANSWERS_READ,
        ),
        problems=kinds.READ_ONE_PROBLEMS,
    ),
)
async def read(request: Request, resource_id: ResourcePath) -> Response:
    """Reads the link."""
    async with snapshot(request) as look:
        link = await find_link(look.conn, look.tenant_id, resource_id)
    if link is None:
        raise ProblemError(not_found("public link of the resource", resource_id))
    return found(_body(request, link), as_of=look.head)


@router.delete(
    _PATH,
    **operation(
        "unpublishAvailability",
        tag="resources",
        summary="Make availability private again",
        description="Revokes the link: from now on it answers 404, and a CDN that keeps its page "
        "is told to forget it. The next link of the resource will be another one. Without a link, "
        "nothing is to be done.",
        permission=Permission.CONFIGURE,
        takes=kinds.ONCE_HEADERS,
        answer=Answer(
            description="It is.",
            status=HTTPStatus.NO_CONTENT,
            example=None,
            headers=kinds.ANSWERS_ONCE,
        ),
        problems=(*kinds.ONCE_PROBLEMS, catalogue.NOT_FOUND),
    ),
)
async def revoke(request: StrictRequest, resource_id: ResourcePath) -> Response:
    """Revokes the link."""
    tenant_id = tenant_of(request)

    async def revoked(conn: AsyncConnection[TupleRow]) -> Response:
        await unpublish(conn, tenant_id, resource_id)
        if not await names_of(conn, tenant_id=tenant_id, resource_ids=[resource_id]):
            raise ProblemError(not_found("resource", resource_id))
        return Response(status_code=HTTPStatus.NO_CONTENT)

    return await write_once(request, revoked)


def _body(request: Request, link: PublicLink) -> PublicLinkBody:
    published = Published(tenant_of(request), link.resource_id, link.link_id)
    path = PUBLIC + services_of(request).public_pages.tokens.make(published)
    return PublicLinkBody(
        id=link.link_id,
        resource_id=link.resource_id,
        data_path=path,
        page_path=path + PAGE,
        made_at=link.made_at,
        made_by=link.made_by,
    )
