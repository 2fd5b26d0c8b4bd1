"""One client's connection: who it speaks for, what it may send, and what waits for it."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Protocol

from api.live.bucket import Bucket
from api.live.library import Telling
from api.live.line import Line
from infra.access import Principal
from infra.live import Room

MOST_WAITING = 5_000
"""Messages that wait for one client, each of which all others share; who has more is cut off, and
resumes where it was."""

FEW_WAITING = 200
"""At most so many wait before more of what it has missed is added."""


class Post(Protocol):
    """What carries messages to sessions."""

    def put(self, session: str, told: Telling) -> None:
        """Has something sent after all that waits already."""

    def waiting(self, session: str) -> int:
        """Tells how much waits to be sent."""


@dataclass(slots=True)
class Guest:
    """Whom a socket that has signed in speaks for.

    Attributes:
        principal: whom.
        token: what has shown it; shown again every few seconds.
        unsure_since: when it could not be found out whether that is still so; None if it could.
    """

    principal: Principal
    token: str = field(repr=False)
    unsure_since: float | None = None


class Socket:
    """A connection. Belongs to one event loop.

    Attributes:
        session: the library's name of it, which is the client's secret.
        request_id: its name in the log and in problems.
        guest: whom it speaks for; None before it has signed in, and after.
        line: its WebSocket; None while it polls.
        bucket: what it may send.
        turn: held while one of its messages is handled.
        catching_up: held while it is told what it has missed of one room.
        then: what is to be done once the acknowledgement is on its way.
        rooms: what it has subscribed to, each with what ends it.
        polls: the methods of the requests under way that stand for it.
        ending: it is told nothing more.
    """

    def __init__(
        self,
        session: str,
        request_id: str,
        post: Post,
        too_slow: Callable[["Socket"], None],
        now: float,
    ) -> None:
        """Nobody speaks through it yet.

        Args:
            session: the library's name of it.
            request_id: of the request that it began with.
            post: carries messages to it.
            too_slow: is told when its client does not take what it is told.
            now: in seconds of the monotonic clock.
        """
        self.session = session
        self.request_id = request_id
        self.guest: Guest | None = None
        self.line: Line | None = None
        self.bucket = Bucket(now)
        self.turn = asyncio.Lock()
        self.catching_up = asyncio.Lock()
        self.then: list[Callable[[], Coroutine[object, object, None]]] = []
        self.rooms: dict[Room, Callable[[], None]] = {}
        self.polls: set[str] = set()
        self.ending = False
        self._post = post
        self._too_slow = too_slow
        self._due: set[asyncio.TimerHandle] = set()

    @property
    def waiting(self) -> int:
        """How many messages wait for it."""
        return self._post.waiting(self.session)

    def put(self, told: Telling) -> None:
        """Tell it something, after all that waits.

        Args:
            told: what.
        """
        if self.ending:
            return
        if self.waiting >= MOST_WAITING:
            self.is_too_slow()
            return
        self._post.put(self.session, told)

    def is_too_slow(self) -> None:
        """Have it cut off, since its client does not take what it is told."""
        self._too_slow(self)

    def later(self, seconds: float, do: Callable[[], None]) -> None:
        """Have something done after a while, if it is still there by then.

        Args:
            seconds: from now.
            do: does so.
        """

        def come_due() -> None:
            self._due.discard(timer)
            do()

        timer = asyncio.get_running_loop().call_later(seconds, come_due)
        self._due.add(timer)

    def gone(self) -> None:
        """Have nothing done any more: what is still to come would keep all of it in memory."""
        for timer in self._due:
            timer.cancel()
        self._due.clear()

    def leave(self, room: Room) -> None:
        """Be in a room no more.

        Args:
            room: which.
        """
        if (stop := self.rooms.pop(room, None)) is not None:
            stop()
