"""What a serving process knows of what others keep in the database: as it was kept last."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

import psycopg
import structlog
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from infra.errors import Overloaded
from infra.every_so_often import every_so_often
from infra.postgres.pool import Pool, borrowed

log = structlog.get_logger(__name__)

LOOK_SECONDS = 5.0

# As a role that may read figures of all tenants, for this transaction alone.
_AS_BACKGROUND = "select set_config('role', 'booking_background', true)"

Known = TypeVar("Known")


class Watch(Generic[Known]):
    """Looks every few seconds, so that whoever asks keeps nobody waiting."""

    def __init__(
        self,
        pool: Pool,
        read: Callable[[AsyncConnection[TupleRow]], Awaitable[Known]],
        nothing: Known,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Know nothing yet.

        Args:
            pool: connections whose login may become `booking_background`.
            read: reads what is kept, as that role.
            nothing: what is known before.
            monotonic: seconds that never go back.
        """
        self._pool = pool
        self._read = read
        self._known = nothing
        self._monotonic = monotonic
        self._looked_at = monotonic()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Look now, and every few seconds.

        Yields:
            To those who ask.
        """
        await self.look()
        async with every_so_often(self.look, LOOK_SECONDS):
            yield

    def known(self) -> Known:
        """Tell what was found at the last look that found anything."""
        return self._known

    def age(self) -> float:
        """Tell how many seconds ago that was."""
        return self._monotonic() - self._looked_at

    async def look(self) -> None:
        """Read what is kept; where that fails, what is known grows old."""
        try:
            async with borrowed(self._pool) as conn, conn.transaction():
                await conn.execute(_AS_BACKGROUND)
                known = await self._read(conn)
        except Overloaded:  # the pool's log line says why
            return
        except psycopg.Error as error:
            log.warning("watching.cannot_look", error=type(error).__name__)
            return
        self._known, self._looked_at = known, self._monotonic()
