"""One client's connection as the web server has it, and how it is ended from this side.

The library reads and writes through a `Line`. It knows no way to end a connection whose client
takes nothing: its writer waits for room in the connection's buffer, and it waits for its writer.
"""

import asyncio

from starlette.types import Message, Receive, Send

from api.live.bucket import Bucket

GOING_AWAY = 1001
BROKEN_RULE = 1008
RESTARTING = 1012

_LEFT = "websocket.disconnect"


class LineEnded(OSError):
    """Nothing is read or written any more; the library takes it for a lost connection."""


class Line:
    """A WebSocket. Belongs to one event loop.

    Attributes:
        session: that it is the connection of; empty until it is known.
    """

    def __init__(self, receive: Receive, send: Send) -> None:
        """Take nothing and give nothing yet.

        Args:
            receive: as ASGI has it.
            send: as ASGI has it.
        """
        self.session = ""
        self._receive = receive
        self._send = send
        self._ended: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._end = LineEnded()
        self._dead = False
        self._writer: asyncio.Task[object] | None = None
        self._bucket = Bucket(asyncio.get_running_loop().time())

    def end(self, code: int) -> None:
        """Take nothing more from the client; what waits for it is sent first.

        Args:
            code: why, as RFC 6455 and its registry have it.
        """
        if not self._ended.done():
            self._ended.set_result({"type": _LEFT, "code": code})

    def cut(self) -> None:
        """Send nothing more either; whoever waits to do so is let go."""
        self.end(GOING_AWAY)
        self._dead = True
        if self._writer is not None:
            self._writer.cancel()

    def let_go(self) -> None:
        """Refer to nothing any more, once it is over: it would go in a circle.

        The library keeps the error that it was told the end by, and through its traceback all that
        the connection had.
        """
        self.cut()
        self._end.__traceback__ = None
        del self._receive, self._send

    async def receive(self) -> Message:
        """Take the next message.

        Raises:
            LineEnded: there is none: the client has left, or has sent too much, or was ended.
        """
        if self._ended.done():
            raise self._end
        receiving = asyncio.ensure_future(self._receive())
        try:
            await asyncio.wait({receiving, self._ended}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not receiving.done():
                receiving.cancel()
        if not self._ended.done() and not self._bucket.take(asyncio.get_running_loop().time()):
            self.end(BROKEN_RULE)
        if self._ended.done() or (message := await receiving)["type"] == _LEFT:
            raise self._end
        return message

    async def send(self, message: Message) -> None:
        """Send a message.

        Args:
            message: as ASGI has it.

        Raises:
            LineEnded: nothing is sent any more.
        """
        if self._dead:
            raise LineEnded
        if message["type"] == "websocket.close" and self._ended.done():
            message = {**message, "code": self._ended.result()["code"]}
        self._writer = asyncio.current_task()
        try:
            await self._send(message)
        finally:
            self._writer = None
