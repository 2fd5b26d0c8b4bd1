"""Routes that check in the contract's order: role, then form, and the form strictly.

FastAPI reads the body before anything of ours could look at the role, takes any JSON that Python
takes, and ignores query parameters that nobody declared. A `StrictRoute` does these three before
it hands on to FastAPI, which then binds the declared parameters as ever; a form that is all that a
route takes, it binds itself.
"""

import asyncio
import re
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, get_origin
from urllib.parse import parse_qsl

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import JsonValue, TypeAdapter, ValidationError
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from api.call import call_of
from api.large_requests import LARGE_BYTES
from api.openapi.declaration import MAX_BODY_BYTES, max_body_bytes_in, permission_in
from api.problems.catalogue import (
    MALFORMED_REQUEST,
    PAYLOAD_TOO_LARGE,
    REQUEST_TIMEOUT,
    UNSUPPORTED_MEDIA_TYPE,
)
from api.problems.pointer import join
from api.problems.problem import FieldError, Problem, ProblemError, validation_failed
from api.roles import Permission, require
from api.services import services_of
from api.strict_json import parse_json

# Any: as FastAPI declares it; the first two parts of a coroutine's type are never used.
Handler = Callable[[Request], Coroutine[Any, Any, Response]]
StrictHandler = Callable[["StrictRequest"], Coroutine[Any, Any, Response]]

BODY_IS_HERE = "booking.body_is_here"
"""In a request's scope once the server has all of its body, so that nobody waits for any of it."""


class StrictRequest(Request):
    """A request whose JSON was read strictly.

    Attributes:
        content: the body; empty where there was none, or the route takes none.
        value: what its JSON says; None likewise.
    """

    content: bytes = b""
    value: JsonValue = None

    async def read(self, limit: int, seconds: float, grown_to: Callable[[int], None]) -> None:
        """Reads the body.

        Args:
            limit: bytes it may have.
            seconds: that it may take.
            grown_to: is told how large it has become.

        Raises:
            ProblemError: it is too large, or took too long.
            TurnedAway: there is no room for it.
        """
        if BODY_IS_HERE in self.scope:  # a timer would cost more than the reading
            self.content = await self._content(limit, grown_to)
            return
        try:
            async with asyncio.timeout(seconds):
                self.content = await self._content(limit, grown_to)
        except TimeoutError as error:
            raise ProblemError(
                Problem(
                    kind=REQUEST_TIMEOUT,
                    detail=f"The body was not complete within {seconds:g} seconds.",
                    headers={"Connection": "close"},
                )
            ) from error

    def parse(self, *, required: bool) -> None:
        """Reads what the body says.

        Args:
            required: whether there must be one.

        Raises:
            ProblemError: it is of another type, missing or no JSON.
        """
        self.value = None
        if self.content:
            _check_type(self)
            self.value = parse_json(self.content)
        elif required:
            raise ProblemError(
                Problem(kind=MALFORMED_REQUEST, detail="There is no body; send a JSON object.")
            )

    @property
    def is_small(self) -> bool:
        """Whether the body says little enough to be worked on at once."""
        return len(self.content) <= LARGE_BYTES

    def header(self, name: bytes, default: str) -> str:
        """Gives the first header of a name in lower case, quicker than Starlette does."""
        for key, value in self.scope["headers"]:
            if key == name:
                return str(value, "latin-1")
        return default

    async def body(self) -> bytes:
        """Gives FastAPI the body that was read."""
        return self.content

    async def json(self) -> JsonValue:
        """Gives FastAPI what the body says."""
        return self.value

    async def _content(self, limit: int, grown_to: Callable[[int], None]) -> bytes:
        declared = self.header(b"content-length", "")
        if declared.isdecimal() and int(declared) > limit:
            raise _too_large(limit)
        chunks: list[bytes] = []
        size, more = 0, True
        while more:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            chunk: bytes = message.get("body", b"")
            size += len(chunk)
            if size > limit:  # a chunked body declares no length
                raise _too_large(limit)
            grown_to(size)
            chunks.append(chunk)
            more = message.get("more_body", False)
        return b"".join(chunks)


class StrictRoute(APIRoute):
    """A route that was declared by `api.openapi.declaration.operation`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - FastAPI's fifty arguments
        """Takes what FastAPI's route takes."""
        super().__init__(*args, **kwargs)
        if _bind_form_alone(self) is not None:
            self.app = _answering(self.get_route_handler())

    def get_route_handler(self) -> Handler:
        """Puts the checks before FastAPI's handler."""
        bind_and_run = _bind_form_alone(self) or super().get_route_handler()
        permission = permission_in(self.openapi_extra)
        max_body_bytes = max_body_bytes_in(self.openapi_extra)
        form = self.body_field
        body_required = form is not None and form.field_info.is_required()
        query = {
            field.alias: get_origin(field.field_info.annotation) is list
            for field in self.dependant.query_params
        }

        # Of what is open, those with parameters: another spelling would be kept apart by caches.
        strict_query = permission not in (None, Permission.OBSERVE) or (
            permission is None and bool(query)
        )

        async def handle(plain: Request) -> Response:
            call = call_of(plain.scope)
            if permission is not None:
                require(permission, call.authenticated)
            request = (
                plain
                if isinstance(plain, StrictRequest)
                else StrictRequest(plain.scope, plain.receive)
            )
            if strict_query and request.scope["query_string"]:
                _check_query(request.scope["query_string"], query)
            if permission is None:
                return await bind_and_run(request)
            services = services_of(plain)
            admission, tenant_id = services.admission_to(call.path), call.authenticated.tenant_id
            if form is None:
                with admission.place(tenant_id):
                    return await bind_and_run(request)
            with services.large_requests.body(tenant_id) as grown_to:
                await request.read(max_body_bytes, services.client_seconds, grown_to)
                with admission.place(tenant_id):
                    if max_body_bytes == MAX_BODY_BYTES or request.is_small:
                        request.parse(required=body_required)
                        return await bind_and_run(request)
                    async with services.large_requests.place(tenant_id):
                        await services.rounds.next()
                        request.parse(required=body_required)
                        await services.rounds.next()
                        return await bind_and_run(request)

        return handle


def _answering(handle: Handler) -> ASGIApp:
    """Makes an app of a handler that opens nothing for FastAPI to close.

    FastAPI's own keeps two exit stacks for dependencies and handles exceptions, which the app
    around it does again; all that costs as much as deciding the command does.
    """

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        response = await handle(StrictRequest(scope, receive))
        await response(scope, receive, send)

    return app


def _bind_form_alone(route: APIRoute) -> StrictHandler | None:
    """Binds the form of a route that takes nothing else.

    FastAPI's binding, made for all that a route may take, costs as much as all other reading.

    Returns:
        What answers a request; None for a route that takes more, or no form.
    """
    takes, field = route.dependant, route.body_field
    takes_more = (
        takes.path_params
        or takes.query_params
        or takes.header_params
        or takes.cookie_params
        or takes.dependencies
        or len(takes.body_params) > 1
    )
    if field is None or takes_more or takes.request_param_name is None:
        return None
    if field.field_info.metadata or not field.field_info.is_required():
        return None
    endpoint, request_name, form_name = route.endpoint, takes.request_param_name, field.name
    form: TypeAdapter[object] = TypeAdapter(field.field_info.annotation or object)

    async def bind_and_run(request: StrictRequest) -> Response:
        try:
            value = form.validate_python(request.value)
        except ValidationError as error:
            raise RequestValidationError(
                [{**found, "loc": ("body", *found["loc"])} for found in error.errors()]
            ) from error
        answer: Response = await endpoint(**{request_name: request, form_name: value})
        return answer

    return bind_and_run


def _check_query(query_string: bytes, known: Mapping[str, bool]) -> None:
    """Refuses what FastAPI would pass over: unknown parameters, repeated ones, NUL characters.

    Args:
        query_string: as it came.
        known: the parameters that the route declares, and whether each may be repeated.

    Raises:
        ProblemError: one of these is there (validation-failed).
    """
    seen: set[str] = set()
    errors: list[FieldError] = []
    for name, value in parse_qsl(query_string.decode("latin-1"), keep_blank_values=True):
        message = None
        if name not in known:
            message = "There is no such parameter"
        elif name in seen and not known[name]:
            message = "Expected it once"
        elif "\x00" in value:
            message = "Expected text without NUL characters"
        if message is not None:
            errors.append(FieldError(pointer=join("/query", name), message=message))
        seen.add(name)
    if errors:
        raise ProblemError(validation_failed(*errors))


def _check_type(request: StrictRequest) -> None:
    """Refuses bodies that are not declared as JSON in UTF-8, or that are compressed."""
    declared = request.header(b"content-type", "")
    if not _JSON.fullmatch(declared):
        said = f"{declared[:100]!r} is not" if declared else "A missing content type is not"
        raise _unsupported(f"{said} taken; send application/json.")
    if request.header(b"content-encoding", "identity") != "identity":
        raise _unsupported("A compressed body is not taken; send it as it is.")


def _unsupported(detail: str) -> ProblemError:
    return ProblemError(
        Problem(kind=UNSUPPORTED_MEDIA_TYPE, detail=detail, headers={"Accept": "application/json"})
    )


def _too_large(limit: int) -> ProblemError:
    # Nobody reads the rest of the body, so the connection cannot carry another request.
    return ProblemError(
        Problem(
            kind=PAYLOAD_TOO_LARGE,
            detail=f"The body may have {limit} bytes.",
            headers={"Connection": "close"},
        )
    )


_JSON = re.compile(
    r"""application/json[ \t]*(?:;[ \t]*charset[ \t]*=[ \t]*"?utf-?8"?[ \t]*)?;?[ \t]*""",
    re.IGNORECASE,
)
