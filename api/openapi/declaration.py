"""How a route declares itself: what it needs, takes, answers, and what can go wrong.

From the one declaration come FastAPI's arguments, the OpenAPI document, and the checks that
`api.strict_route` makes; so they cannot differ.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from http import HTTPStatus
from itertools import groupby
from typing import Any, TypedDict

from pydantic import BaseModel, JsonValue
from starlette.responses import Response

from api.openapi import headers
from api.openapi.links import Links
from api.problems import catalogue
from api.problems.catalogue import ProblemKind
from api.problems.pages import example
from api.problems.problem import MEDIA_TYPE
from api.roles import Permission

MAX_BODY_BYTES = 65_536
_PERMISSION = "x-permission"
_BODY_LIMIT = "x-max-body-bytes"

# Any: OpenAPI objects, as FastAPI's own signatures have them.
OpenApi = dict[str, Any]


class Declaration(TypedDict):
    """FastAPI's arguments for a route."""

    operation_id: str
    summary: str
    description: str
    tags: list[str | Enum]
    status_code: int
    response_class: type[Response]
    response_model: None
    responses: dict[int | str, dict[str, Any]]
    openapi_extra: OpenApi


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an operation answers when all is well.

    Attributes:
        description: what it is.
        example: a body such as it could be; None where there is no body.
        model: the body's schema; None where it is no JSON.
        status: of the answer.
        media_type: of the body.
        schema: of a body that is no JSON.
        headers: names of those that it has, beside X-Request-Id.
        links: what can be asked next about it.
    """

    description: str
    example: JsonValue
    model: type[BaseModel] | None = None
    status: HTTPStatus = HTTPStatus.OK
    media_type: str = "application/json"
    schema: OpenApi = field(default_factory=lambda: {"type": "string"})
    headers: tuple[str, ...] = ()
    links: Links = field(default_factory=dict)


def operation(
    operation_id: str,
    *,
    tag: str,
    summary: str,
    description: str,
    answer: Answer,
    permission: Permission | None,
    takes: Sequence[JsonValue] = (),
    problems: Iterable[ProblemKind] = (),
    body: OpenApi | None = None,
    max_body_bytes: int = MAX_BODY_BYTES,
) -> Declaration:
    """Declares a route.

    Args:
        operation_id: its name in generated clients.
        tag: the part of the contract it belongs to.
        summary: what it does, in a few words.
        description: what a client has to know.
        answer: what it answers when all is well.
        permission: what it needs; None where it is open to all.
        takes: the headers that it reads, as `api.openapi.headers` describes them.
        problems: what can go wrong here; what can everywhere is added.
        body: what is sent, for a route that reads it by itself; FastAPI declares all others.
        max_body_bytes: how large a body may be.
    """
    everywhere = [catalogue.INTERNAL_ERROR]
    if permission is not None:
        everywhere += [catalogue.UNAUTHENTICATED, catalogue.FORBIDDEN]
        everywhere += [catalogue.OVERLOADED, catalogue.ISSUER_UNAVAILABLE]
    limited = permission not in (None, Permission.OBSERVE)
    if limited:
        everywhere.append(catalogue.RATE_LIMITED)
    good: OpenApi = {
        "description": answer.description,
        "headers": _described(
            (*answer.headers, *(headers.OF_LIMITS if limited else ()), headers.X_REQUEST_ID)
        ),
    }
    if answer.example is not None:
        content: OpenApi = {"example": answer.example}
        if answer.model is None:
            content["schema"] = answer.schema
        good["content"] = {answer.media_type: content}
    if answer.model is not None:
        good["model"] = answer.model
    if answer.links:
        good["links"] = dict(answer.links)
    responses: dict[int | str, OpenApi] = {answer.status.value: good}
    if headers.TAKES_IF_NONE_MATCH in takes:
        responses[HTTPStatus.NOT_MODIFIED.value] = {
            "description": "It is still that of `If-None-Match`.",
            "headers": good["headers"],
        }
    parameters = [*takes, headers.TAKES_REQUEST_ID, headers.TAKES_TRACEPARENT]
    extra: OpenApi = {"parameters": parameters, **_access(permission)}
    if max_body_bytes != MAX_BODY_BYTES:
        extra[_BODY_LIMIT] = max_body_bytes
    if body is not None:
        extra["requestBody"] = body
    return Declaration(
        operation_id=operation_id,
        summary=summary,
        description=description,
        tags=[tag],
        status_code=answer.status,
        response_class=Response,
        response_model=None,
        responses={**responses, **_problem_responses([*everywhere, *problems])},
        openapi_extra=extra,
    )


def permission_in(openapi_extra: OpenApi | None) -> Permission | None:
    """Reads back what a route needs; None where it is open to all.

    Args:
        openapi_extra: of the route.
    """
    name = (openapi_extra or {}).get(_PERMISSION)
    return None if name is None else Permission(name)


def max_body_bytes_in(openapi_extra: OpenApi | None) -> int:
    """Reads back how large a body may be.

    Args:
        openapi_extra: of the route.
    """
    limit: int = (openapi_extra or {}).get(_BODY_LIMIT, MAX_BODY_BYTES)
    return limit


def _access(permission: Permission | None) -> OpenApi:
    if permission is None:
        return {"security": []}
    if permission is Permission.SUBSCRIBE:  # the path shows who asks
        return {_PERMISSION: permission.value, "security": []}
    return {_PERMISSION: permission.value}


def _problem_responses(kinds: Iterable[ProblemKind]) -> dict[int | str, OpenApi]:
    """Declares problems: those of one status share a response, with an example for each."""
    by_status = sorted(dict.fromkeys(kinds), key=lambda kind: (kind.status, kind.name))
    return {
        status.value: _problem_response(list(group))
        for status, group in groupby(by_status, key=lambda kind: kind.status)
    }


def _problem_response(kinds: list[ProblemKind]) -> OpenApi:
    names = (*dict.fromkeys(name for kind in kinds for name in _headers_of(kind)),)
    return {
        "description": " · ".join(f"[{kind.name}]({kind.type}): {kind.title}" for kind in kinds),
        "headers": _described((*names, headers.X_REQUEST_ID)),
        "content": {
            MEDIA_TYPE: {
                "schema": {"$ref": "#/components/schemas/ProblemBody"},
                "examples": {
                    kind.name: {"summary": kind.title, "value": example(kind)} for kind in kinds
                },
            }
        },
    }


def _headers_of(kind: ProblemKind) -> tuple[str, ...]:
    match kind.status:
        case HTTPStatus.UNAUTHORIZED:
            return (headers.WWW_AUTHENTICATE,)
        case HTTPStatus.TOO_MANY_REQUESTS:
            return (headers.RETRY_AFTER, *headers.OF_LIMITS)
        case HTTPStatus.SERVICE_UNAVAILABLE:
            return (headers.RETRY_AFTER,)
        case HTTPStatus.CONFLICT:
            return (headers.IDEMPOTENT_REPLAYED,)
        case _:
            return ()


def _described(names: Iterable[str]) -> OpenApi:
    return {name: headers.ANSWERED[name] for name in names}
