"""What a serving process knows of the webhooks that others send: what they have kept last."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import psycopg
import structlog

from infra.errors import Overloaded
from infra.every_so_often import every_so_often
from infra.postgres.pool import Pool, borrowed
from infra.webhooks.figures import read_figures

log = structlog.get_logger(__name__)

LOOK_SECONDS = 5.0

# As a role that may read figures of all tenants, for this transaction alone.
_AS_BACKGROUND = "select set_config('role', 'booking_background', true)"


class FigureWatch:
    """Reads every few seconds what was kept, so that whoever asks keeps nobody waiting."""

    def __init__(self, pool: Pool) -> None:
        """Know nothing yet.

        Args:
            pool: connections whose login may become `booking_background`.
        """
        self._pool = pool
        self._figures: Mapping[str, float] = {}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Look now, and every few seconds.

        Yields:
            To those who ask.
        """
        await self.look()
        async with every_so_often(self.look, LOOK_SECONDS):
            yield

    def figures(self) -> Mapping[str, float]:
        """Tell what was kept last."""
        return self._figures

    async def look(self) -> None:
        """Read what was kept; where that fails, what is known grows old."""
        try:
            async with borrowed(self._pool) as conn, conn.transaction():
                await conn.execute(_AS_BACKGROUND)
                self._figures = await read_figures(conn)
        except Overloaded:  # the pool's log line says why
            return
        except psycopg.Error as error:
            log.warning("webhook_figures.cannot_look", error=type(error).__name__)
