"""A pool that lends connections for a bounded time, and lends none that died while it was idle.

The server bounds its own statements; a server that has stopped, or a network that swallows answers,
bounds nothing. So a connection that is not given back in time is hung up: whoever waits for its
answer gets an error, and the pool makes another.
"""

import os
import select
import socket
from asyncio import TimerHandle, get_running_loop
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import structlog
from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool

_log = structlog.get_logger(__name__)

Connection = AsyncConnection[TupleRow]

RECONNECT_SECONDS = 1.0
"""How long the pool tries by itself to replace a connection; after that, whenever one is wanted.

Short, since it doubles its pauses: after a long absence of the server it would find it back late.
"""


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
            kwargs={"autocommit": True},
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
        self._loans: dict[Connection, TimerHandle] = {}

    async def getconn(self, timeout: float | None = None) -> Connection:  # noqa: ASYNC109 - as in the base
        """Lend a connection that is not known to be dead; see the base class."""
        conn = await super().getconn(timeout)
        while _has_word(conn):
            # A server that died has said so to all of its connections.
            await conn.close()
            await super().putconn(conn)
            conn = await super().getconn(timeout)
        self._loans[conn] = self._hang_up_later(conn)
        return conn

    async def putconn(self, conn: Connection) -> None:
        """Take a connection back; see the base class."""
        self._loans.pop(conn).cancel()
        await super().putconn(conn)

    @contextmanager
    def _bounded(self, conn: Connection) -> Iterator[None]:
        hang_up = self._hang_up_later(conn)
        try:
            yield
        finally:
            hang_up.cancel()

    def _hang_up_later(self, conn: Connection) -> TimerHandle:
        return get_running_loop().call_later(self._lent_seconds, self._hang_up, conn)

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
