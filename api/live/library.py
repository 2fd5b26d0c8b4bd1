"""python-socketio, as far as it is used here: all that is known of its inside stands in this file.

It keeps the protocol: sessions, polls and their upgrade, packets, acknowledgements, pings. Events
of one session are handled one after the other, in their order, and an acknowledgement is on its way
when a handler's message is done. What many are told is encoded once and put into their queues
here: its own way makes a task for each of them, and keeps no order between two.
"""

import asyncio
import logging
from asyncio import Task
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, Protocol, cast

import socketio  # type: ignore[import-untyped]  # it has no types
from engineio.async_socket import AsyncSocket  # type: ignore[import-untyped]  # it has no types
from engineio.packet import MESSAGE, Packet  # type: ignore[import-untyped]  # it has no types
from pydantic_core import to_json
from socketio.exceptions import (  # type: ignore[import-untyped]  # it has no types
    ConnectionRefusedError as Refused,
)
from starlette.types import Receive, Scope, Send

MAX_MESSAGE_BYTES = 65_536
PING_SECONDS = 25.0
PONG_SECONDS = 20.0

NAMESPACE = "/"

# What it would log names sessions, which are secrets, and quotes what clients send.
_SILENT = logging.getLogger("booking.socketio")
_SILENT.disabled = True

Answer = dict[str, object]
Arrived = Callable[[str, Scope], None]
Came = Callable[[str, object], Awaitable[None]]


class Telling(Protocol):
    """An event as it travels, encoded once for all who are told."""

    def encode(self) -> str:
        """Gives it as text."""


def telling(event: str, body: object) -> Telling:
    """Encodes an event.

    Args:
        event: its name.
        body: plain values.
    """
    text = to_json([event, body]).decode()
    return cast("Telling", Packet(MESSAGE, data=f"2{text}"))


class SocketIo:
    """The protocol, without a word of what it is used for."""

    def __init__(
        self,
        relay: object | None,
        *,
        arrived: Arrived,
        came: Came,
        left: Callable[[str], None],
    ) -> None:
        """Serves nobody yet.

        Args:
            relay: carries what is emitted to other processes; None where there are none.
            arrived: is told a new session, and the request that it began with.
            came: is given each message of a session before it is handled; hands it to `handle`.
            left: is told that a session has ended.
        """
        self._server: Any = socketio.AsyncServer(
            async_mode="asgi",
            client_manager=relay,
            async_handlers=False,
            logger=_SILENT,
            engineio_logger=_SILENT,
            cors_allowed_origins=[],  # the middleware and the door see to them
            max_http_buffer_size=MAX_MESSAGE_BYTES,
            http_compression=False,
            ping_interval=PING_SECONDS,
            ping_timeout=PONG_SECONDS,
        )
        engine = self._server.eio
        begin, self._handle, end = (
            engine.handlers[name] for name in ("connect", "message", "disconnect")
        )

        async def on_connect(session: str, environ: dict[str, Any]) -> None:
            arrived(session, environ["asgi.scope"])
            await begin(session, environ)

        async def on_message(session: str, data: object) -> None:
            await came(session, data)

        async def on_disconnect(session: str, reason: str) -> None:
            try:
                await end(session, reason)
            finally:
                self.finish(session)  # else its last poll would wait on
                left(session)
                socket = engine.sockets.pop(session, None)
                ping = None if socket is None else vars(socket).pop("next_ping", None)
                if ping is not None:
                    ping.cancel()

        def start(work: Callable[..., Coroutine[Any, Any, None]], *given: object) -> Task[None]:
            task = asyncio.ensure_future(work(*given))
            if isinstance(socket := getattr(work, "__self__", None), AsyncSocket):
                socket.next_ping = task
            return task

        # It would keep a session in memory until its next ping is due, and longer: who comes and
        # goes all the time would fill it.
        engine.start_background_task = start
        engine.disconnect = self.close  # its own waits until somebody polls, and nobody will
        engine.on("connect", on_connect)
        engine.on("message", on_message)
        engine.on("disconnect", on_disconnect)

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request, or a WebSocket until it ends.

        It refuses with a status of 400, or leaves unanswered what came as its session ended.

        Args:
            scope: as ASGI has it.
            receive: as ASGI has it.
            send: as ASGI has it.
        """
        with suppress(UnboundLocalError):  # its fault, where it lets go of the session meanwhile
            await self._server.handle_request(scope, receive, send)

    async def handle(self, session: str, data: object) -> None:
        """Handles a message; the acknowledgement of an event is in the session's queue after it.

        Args:
            session: whose.
            data: as it came.

        Raises:
            Exception: it is not of the protocol.
        """
        await self._handle(session, data)

    def on_sign_in(self, handler: Callable[[str, object], Awaitable[None]]) -> None:
        """Names who is asked whether a session may come in.

        Args:
            handler: is given the session and what it shows; raises `Refused` if it may not.
        """

        async def connect(sid: str, _environ: object, auth: object = None) -> None:
            await handler(self._session(sid), auth)

        self._server.on("connect", connect)

    def on_sign_out(self, handler: Callable[[str], None]) -> None:
        """Names who is told that a session has signed out.

        Args:
            handler: is given the session.
        """

        async def disconnect(sid: str, _reason: str) -> None:
            handler(self._session(sid))

        self._server.on("disconnect", disconnect)

    def on(self, event: str, handler: Callable[[str, Sequence[object]], Awaitable[Answer]]) -> None:
        """Names who handles an event.

        Args:
            event: its name.
            handler: is given the session and what came with it; its answer is the acknowledgement.
        """

        async def handle(sid: str, *given: object) -> Answer:
            return await handler(self._session(sid), given)

        self._server.on(event, handle)

    def waiting(self, session: str) -> int:
        """Tells how much waits to be sent.

        Args:
            session: to whom.
        """
        socket = self._server.eio.sockets.get(session)
        return 0 if socket is None else cast("int", socket.queue.qsize())

    def put(self, session: str, told: Telling) -> None:
        """Has something sent after all that waits already.

        Args:
            session: to whom; one that has ended is told nothing.
            told: what.
        """
        socket = self._server.eio.sockets.get(session)
        if socket is not None and not socket.closed:
            socket.queue.put_nowait(told)

    async def emit(
        self, event: str, body: object, rooms: Sequence[str], but: str | None = None
    ) -> None:
        """Tells all who are in one of the rooms, whatever process they are connected to.

        Args:
            event: its name.
            body: plain values.
            rooms: at least one.
            but: a session of this process that is not told.
        """
        skip = None if but is None else self._sid(but)
        await self._server.emit(event, body, to=[*rooms], skip_sid=skip)

    async def emit_here(self, event: str, body: object, rooms: Sequence[str]) -> None:
        """Tells all in one of the rooms who are connected to this process.

        Args:
            event: its name.
            body: plain values.
            rooms: at least one.
        """
        await self._server.emit(event, body, to=[*rooms], ignore_queue=True)

    async def enter(self, session: str, room: str) -> None:
        """Has a session in a room.

        Args:
            session: that has signed in; one that has left since stays outside.
            room: its name.
        """
        if (sid := self._sid(session)) is not None:
            await self._server.enter_room(sid, room)

    async def leave(self, session: str, room: str) -> None:
        """Has a session in a room no more.

        Args:
            session: that has signed in.
            room: its name.
        """
        if (sid := self._sid(session)) is not None:
            await self._server.leave_room(sid, room)

    async def sign_out(self, session: str) -> None:
        """Tells a session that it is signed in no more; its client does not come back by itself.

        Args:
            session: which.
        """
        if (sid := self._sid(session)) is not None:
            await self._server.disconnect(sid, ignore_queue=True)

    def finish(self, session: str) -> None:
        """Has nothing sent after what waits already; a poll that waits for more is let go.

        Args:
            session: to whom.
        """
        socket = self._server.eio.sockets.get(session)
        if socket is not None:
            socket.queue.put_nowait(None)

    def polls_on(self, session: str) -> None:
        """Has a session whose upgrade came to nothing told what waits by its polls again.

        Args:
            session: which; one that has upgraded stays so.
        """
        socket = self._server.eio.sockets.get(session)
        if socket is not None:
            socket.upgrading = False  # else its polls would come back at once, and empty

    async def close(self, session: str) -> None:
        """Ends a session; what waits for it is lost.

        Args:
            session: which.
        """
        socket = self._server.eio.sockets.get(session)
        if socket is not None:
            await socket.close(wait=False, abort=True)

    async def stop(self) -> None:
        """Stops what it does by itself."""
        await self._server.shutdown()

    def _session(self, sid: str) -> str:
        return cast("str", self._server.manager.eio_sid_from_sid(sid, NAMESPACE))

    def _sid(self, session: str) -> str | None:
        return cast("str | None", self._server.manager.sid_from_eio_sid(session, NAMESPACE))


__all__ = ["Answer", "Refused", "SocketIo", "Telling", "telling"]
