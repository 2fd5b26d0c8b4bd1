"""A pool that lends connections for a bounded time, and lends none that died while it was idle.

The server bounds its own statements; a server that has stopped, or a network that swallows answers,
bounds nothing. So a connection that is not given back in time is hung up: whoever waits for its
answer gets an error, and the pool makes another.

A server that refuses connections says so at once; then nobody waits long for one. Each who comes
has the pool try again, so that the first after its return finds it.
"""

import asyncio
import os
import select
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Self

import psycopg
import structlog
from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from infra.telemetry.refrain import Refrain

_log = structlog.get_logger(__name__)

Connection = AsyncConnection[TupleRow]

RECONNECT_SECONDS = 0.2
"""How long the pool tries by itself to replace a connection; after that, whenever one is wanted.

Short, since it doubles its pauses: after a long absence of the server it would find it back late.
"""

REFUSED_SECONDS = 0.5
"""How long one waits for a connection while none can be made: until the pool has tried again."""


_ALL_AWAY = "no connection became free in time"


class _Reporting(AsyncConnection[TupleRow]):
    """A connection that tells its pool how its making went."""

    @classmethod
    async def connect(  # type: ignore[override]  # as the pool calls it
        cls,
        conninfo: str,
        *,
        pool: "LendingPool",
        **kwargs: Any,  # noqa: ANN401 - psycopg's own
    ) -> Self:
        try:
            made = await super().connect(conninfo, **kwargs)
        except psycopg.Error as error:
            pool.refused(first_line(error))
            raise
        pool.granted()
        return made


def first_line(error: BaseException) -> str:
    """Give what an error says, as far as it fits into a line of the log.

    Args:
        error: of psycopg, whose messages may go on with hints and positions.
    """
    said, *_ = str(error).splitlines() or [type(error).__name__]
    return said


class LendingPool(AsyncConnectionPool[Connection]):
    """Connections in autocommit mode."""

    def __init__(
        self,
        dsn: str,
        *,
        name: str,
        configure: Callable[[Connection], Awaitable[None]],
        min_size: int,
        max_size: int,
        max_waiting: int,
        wait: timedelta,
        lent: timedelta,
    ) -> None:
        """Connect to nothing yet.

        Args:
            dsn: of the server.
            name: for the log.
            configure: makes a new connection what it is to be.
            min_size: connections kept open.
            max_size: connections at most.
            max_waiting: how many may wait for one; 0 for no bound.
            wait: for how long they do.
            lent: how long a connection may be away, and how long `configure` may take.
        """

        async def begin(conn: Connection) -> None:
            with self._bounded(conn):
                await configure(conn)

        super().__init__(
            dsn,
            connection_class=_Reporting,
            kwargs={"autocommit": True, "pool": self},
            configure=begin,
            min_size=min_size,
            max_size=max_size,
            max_waiting=max_waiting,
            timeout=wait.total_seconds(),
            reconnect_timeout=RECONNECT_SECONDS,
            name=name,
            open=False,
        )
        self._lent_seconds = lent.total_seconds()
        self._loans: dict[Connection, asyncio.TimerHandle] = {}
        self._hoping: set[asyncio.Timeout] = set()
        self._last_refused = False
        self._refusal = self._failure = ""
        self._refusals = Refrain(self._tell_refusals)
        self._failures = Refrain(self._tell_failures)

    @property
    def refuses(self) -> bool:
        """Whether there is no connection, and the last attempt to make one has failed."""
        return self._last_refused and not self._loans and not self.get_stats().get("pool_available")

    def refused(self, reason: str) -> None:
        """Learn that a connection could not be made.

        Args:
            reason: what the server said, or why it cannot be reached.
        """
        self._last_refused = True
        self._refusal = reason
        self._refusals.due()
        if self.refuses:
            soon = asyncio.get_running_loop().time() + REFUSED_SECONDS
            for bound in self._hoping:
                if not bound.expired():
                    bound.reschedule(min(soon, bound.when() or soon))

    def granted(self) -> None:
        """Learn that a connection was made."""
        if self._last_refused:
            _log.info("the database takes connections again", pool=self.name)
        self._last_refused = False

    def failed(self, reason: str) -> None:
        """Tell the log that somebody could not be served; one line a second for all.

        Args:
            reason: why the last of them could not.
        """
        self._failure = reason
        self._failures.due()

    async def getconn(self, timeout: float | None = None) -> Connection:  # noqa: ASYNC109 - as in the base
        """Lend a connection that is not known to be dead; see the base class."""
        if timeout is None:
            timeout = REFUSED_SECONDS if self.refuses else self.timeout
        try:
            async with asyncio.timeout(timeout) as bound:
                self._hoping.add(bound)
                try:
                    conn = await self._getconn_alive()
                finally:
                    self._hoping.discard(bound)
        except TimeoutError as error:
            raise PoolTimeout(self._refusal if self._last_refused else _ALL_AWAY) from error
        self._loans[conn] = self._hang_up_later(conn)
        return conn

    async def _getconn_alive(self) -> Connection:
        while _has_word(conn := await super().getconn()):
            # A server that died has said so to all of its connections.
            await conn.close()
            await super().putconn(conn)
        return conn

    async def putconn(self, conn: Connection) -> None:
        """Take a connection back; see the base class."""
        self._loans.pop(conn).cancel()
        await super().putconn(conn)

    def _tell_refusals(self, times: int) -> None:
        _log.error(
            "the database refuses connections", pool=self.name, reason=self._refusal, attempts=times
        )

    def _tell_failures(self, times: int) -> None:
        _log.warning(
            "the database cannot be asked", pool=self.name, reason=self._failure, times=times
        )

    @contextmanager
    def _bounded(self, conn: Connection) -> Iterator[None]:
        hang_up = self._hang_up_later(conn)
        try:
            yield
        finally:
            hang_up.cancel()

    def _hang_up_later(self, conn: Connection) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(self._lent_seconds, self._hang_up, conn)

    def _hang_up(self, conn: Connection) -> None:
        if conn.closed:
            return
        _log.error(
            "a database connection does not answer; it is hung up",
            pool=self.name,
            backend_pid=conn.info.backend_pid,
            seconds=self._lent_seconds,
        )
        # Not closed: whoever waits for it, by its number, has to be told first.
        with socket.socket(fileno=os.dup(conn.fileno())) as line:
            line.shutdown(socket.SHUT_RDWR)


def _has_word(conn: Connection) -> bool:
    """Tell whether the server has said something unasked, most likely its last word.

    One system call, and no round trip.
    """
    if conn.closed:
        return True
    poll = select.poll()
    poll.register(conn.fileno(), select.POLLIN)
    return bool(poll.poll(0))
