"""Where Socket.IO comes in: what is no part of it is answered here, and as a problem.

Polls are requests like others, with a line in the log and their ids. They show no Authorization:
the session that they name was given to whoever has signed in over it.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import structlog
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import Message, Receive, Scope, Send

from api.call import begin_call, call_of
from api.cors import Cors
from api.live.known import KnownThings
from api.live.line import Line
from api.problems.catalogue import FORBIDDEN, MALFORMED_REQUEST, METHOD_NOT_ALLOWED
from api.problems.from_errors import WHOLE_REQUEST, problem_of
from api.problems.problem import Problem
from infra.errors import Overloaded

if TYPE_CHECKING:
    from api.live.sockets import LiveSockets

log = structlog.get_logger("api.live")

PATH = "/socket.io/"
LINE = "booking.line"

_NO_SUCH_SESSION = Problem(
    kind=MALFORMED_REQUEST, detail="There is no such session here, or it has ended: connect anew."
)
_OVERLAP = Problem(
    kind=MALFORMED_REQUEST, detail="The same session has a request like this under way."
)
_NOT_SOCKET_IO = Problem(
    kind=MALFORMED_REQUEST,
    detail="Expected EIO=4 and transport=polling or transport=websocket, as Socket.IO's clients "
    "of version 3 and later send them.",
)
_NOT_TAKEN = Problem(
    kind=MALFORMED_REQUEST,
    detail="This was no packet that a client may send here, was too large, or came when the "
    "session had ended or gone over to a WebSocket: connect anew.",
)
_METHOD = Problem(
    kind=METHOD_NOT_ALLOWED,
    detail="Socket.IO takes: GET, POST.",
    headers={"Allow": "GET, POST"},
)
_FOREIGN = Problem(kind=FORBIDDEN, detail="Pages of this origin may not connect.")


class Door:
    """Lets requests and WebSockets in to the sockets.

    Attributes:
        known: which bookings and resources there are, for whoever listens in another way.
    """

    def __init__(self, sockets: "LiveSockets", known: KnownThings, cors: Cors, places: int) -> None:
        """Keep its parts.

        Args:
            sockets: those of this process.
            known: which bookings and resources there are.
            cors: whose pages may connect.
            places: how many sockets there may be; a quarter of them for who has yet to sign in.
        """
        self._sockets = sockets
        self.known = known
        self._cors = cors
        self._places = places

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or a WebSocket until it ends.

        Args:
            scope: as ASGI has it.
            receive: as ASGI has it.
            send: as ASGI has it.
        """
        if scope["type"] == "websocket":
            scope["method"] = "GET"  # as it came: what reads the headers asks for it
            begin_call(scope)
        query = parse_qs(scope["query_string"].decode("latin-1"))
        session = query.get("sid", [""])[0]
        problem = self._turned_away(scope, query, session)
        if problem is not None:
            await _refuse(problem, scope, receive, send)
        elif scope["type"] == "websocket":
            await self._serve_websocket(scope, receive, send, session)
        else:
            await self._serve_poll(scope, receive, send, session)

    def _turned_away(
        self, scope: Scope, query: Mapping[str, list[str]], session: str
    ) -> Problem | None:
        is_websocket = scope["type"] == "websocket"
        transport = "websocket" if is_websocket else "polling"
        if not is_websocket and scope["method"] not in ("GET", "POST"):
            return _METHOD
        if query.get("EIO") != ["4"] or query.get("transport") != [transport] or "j" in query:
            return _NOT_SOCKET_IO
        if is_websocket and not self._may_come_from(scope):
            return _FOREIGN
        if not session:
            return None if self._has_room() else problem_of(Overloaded(), WHOLE_REQUEST)
        socket = self._sockets.of(session)
        if socket is None:
            return _NO_SUCH_SESSION
        taken = socket.line is not None if is_websocket else scope["method"] in socket.polls
        return _OVERLAP if taken else None

    def _has_room(self) -> bool:
        return (
            not self._sockets.closing
            and len(self._sockets) < self._places
            and self._sockets.strangers < max(1, self._places // 4)
        )

    def _may_come_from(self, scope: Scope) -> bool:
        """Tell whether a page may connect; from what a poll answers, its browser keeps it."""
        headers = dict(scope["headers"])
        origin = headers.get(b"origin")
        if origin is None or self._cors.lists(origin):
            return True
        own: bytes = headers.get(b"host", b"")
        return bool(urlsplit(origin.decode("latin-1")).netloc == own.decode("latin-1"))

    async def _serve_poll(self, scope: Scope, receive: Receive, send: Send, session: str) -> None:
        socket, method, answer = self._sockets.of(session), scope["method"], _Answer(send)
        if socket is not None:
            socket.polls.add(method)
        try:
            await self._sockets.io.serve(scope, receive, answer.send)
        finally:
            if socket is not None:
                socket.polls.discard(method)
        if not answer.begun:
            await _refuse(_NOT_TAKEN, scope, receive, send)

    async def _serve_websocket(
        self, scope: Scope, receive: Receive, send: Send, session: str
    ) -> None:
        line = scope[LINE] = Line(receive, send)
        if session:
            self._sockets.upgrades(session, line)
        try:
            await self._sockets.io.serve(scope, line.receive, line.send)
        except Exception as error:  # noqa: BLE001 - the library fails at a packet that is none
            log.info("live.malformed", error=type(error).__name__)
            await self._sockets.lost(line)
        finally:
            self._sockets.without(line)
            line.let_go()


class _Answer:
    """Passes on what the library answers, but for its refusals: these have no words."""

    begun = False

    def __init__(self, send: Send) -> None:
        self._send = send

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = message["status"] != HTTPStatus.BAD_REQUEST
        if self.begun:
            await self._send(message)


class LiveEndpoint:
    """The way to the door, for the routes: it is made when the process starts."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or a WebSocket until it ends.

        Args:
            scope: as ASGI has it.
            receive: as ASGI has it.
            send: as ASGI has it.
        """
        scope["route"] = ROUTES[0]  # for the log and the metrics
        door: Door = scope["app"].state.services.door
        await door.serve(scope, receive, send)


def request_id_of(scope: Scope) -> str:
    """Give the id under which the log has a socket.

    Args:
        scope: of the request that it began with.
    """
    return call_of(scope).request_id


async def _refuse(problem: Problem, scope: Scope, receive: Receive, send: Send) -> None:
    call = call_of(scope)
    response = problem.response(instance=call.instance, request_id=call.request_id)
    await response(scope, receive, send)


_ENDPOINT = LiveEndpoint()
ROUTES: tuple[BaseRoute, ...] = (
    Route(PATH, _ENDPOINT, methods=None, include_in_schema=False),
    WebSocketRoute(PATH, _ENDPOINT),
)
