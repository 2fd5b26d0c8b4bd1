"""A room's messages as Server-Sent Events, for as long as the client listens and may.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

from pydantic_core import to_json

from api.draining import Draining
from api.live.wire import change_body, heartbeat_body, room_body
from infra.access import NotAdmitted
from infra.errors import Unavailable
from infra.live import Heartbeat, Message, Room, TenantFeed

MOST_WAITING = 1_000
"""Messages for one client. One that is so slow is cut off, and goes on from where it was."""

CHECK_SECONDS = 5.0
"""Between two looks at whether the client may still listen."""

_BACK_AFTER = b"retry: 2000\n\n"


class EventStream:
    """What one client of one room is sent."""

    def __init__(
        self,
        feed: TenantFeed,
        room: Room,
        draining: Draining,
        may_listen: Callable[[], Awaitable[bool]],
    ) -> None:
        """Send nothing yet.

        Args:
            feed: of the client's tenant.
            room: which.
            draining: ends all streams, so that clients go to another process.
            may_listen: tells whether what the client has shown is still good.
        """
        self._feed = feed
        self._room = room
        self._draining = draining
        self._may_listen = may_listen
        self._waiting: asyncio.Queue[Message | Heartbeat | None] = asyncio.Queue(MOST_WAITING)
        self._ended = False

    async def since(self, after: int | None, seconds: float | None = None) -> AsyncIterator[bytes]:
        """Send what came after a position, and whatever comes then.

        Args:
            after: the position; it is remembered (`TenantFeed.reach`). None for now.
            seconds: after which the stream ends; None where the client ends it.

        Yields:
            Parts of the stream.
        """
        after = self._feed.position if after is None else after
        # Nothing is awaited between the two, so nothing is told in between.
        backlog = self._feed.since(after, self._room)
        leave = self._feed.listen(self._room, self._take)
        end = self._draining.when_begun(self._end)
        joined = Heartbeat(
            self._room, backlog[-1].position if backlog else after, self._feed.position
        )
        try:
            yield _BACK_AFTER
            for message in backlog:
                yield _written(message)
            yield _written(joined)
            async for part in self._live(math.inf if seconds is None else seconds):
                yield part
        finally:
            leave()
            end()

    async def _live(self, seconds: float) -> AsyncIterator[bytes]:
        clock = asyncio.get_running_loop().time
        end_at, check_at = clock() + seconds, clock() + CHECK_SECONDS
        while not self._ended and clock() < end_at:
            message = None
            with suppress(TimeoutError):
                async with asyncio.timeout_at(min(check_at, end_at)):
                    message = await self._waiting.get()
                    if message is None:
                        return
            if clock() >= check_at:
                check_at = clock() + CHECK_SECONDS
                if not await self._still_may():
                    yield b"event: auth.expired\ndata: {}\n\n"
                    return
            if message is not None:
                yield _written(message)

    async def _still_may(self) -> bool:
        try:
            return await self._may_listen()
        except NotAdmitted:
            return False
        except Unavailable:  # it cannot be found out now: what was good a moment ago goes on
            return True

    def _take(self, message: Message | Heartbeat) -> None:
        try:
            self._waiting.put_nowait(message)
        except asyncio.QueueFull:
            self._ended = True

    def _end(self) -> None:
        self._ended = True
        with suppress(asyncio.QueueFull):  # then it does not wait for anything
            self._waiting.put_nowait(None)


def snapshot_required(room: Room, position: int) -> bytes:
    """Write that the client cannot go on from where it was, and has to read everything anew.

    Args:
        room: that it wanted to go on in.
        position: where the log is.
    """
    return _event("snapshot_required", {"room": room_body(room), "position": position}, position)


def _written(message: Message | Heartbeat) -> bytes:
    if isinstance(message, Message):
        return _event("change", change_body(message), message.position)
    return _event("heartbeat", heartbeat_body(message), message.head)


def _event(name: str, body: object, position: int) -> bytes:
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (position, name.encode(), to_json(body))
