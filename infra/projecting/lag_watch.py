"""What a serving process knows of the projections' lag: what some runner measured last."""

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import psycopg
import structlog

from infra.errors import Overloaded
from infra.every_so_often import every_so_often
from infra.postgres.pool import Pool, borrowed
from infra.projecting.lag import Lag, read_lags

log = structlog.get_logger(__name__)

LOOK_SECONDS = 5.0

# As a role that may read figures of all tenants, for this transaction alone.
_AS_BACKGROUND = "select set_config('role', 'booking_background', true)"


@dataclass(frozen=True, slots=True)
class WatchedLag:
    """A projection's lag, and how long ago that was so.

    Attributes:
        lag: as it was measured.
        age: of the measurement, in seconds; it grows where no runner is left to measure.
    """

    lag: Lag
    age: float


class LagWatch:
    """Reads every few seconds what was measured, so that whoever asks keeps nobody waiting."""

    def __init__(
        self, pool: Pool, projections: Collection[str], monotonic: Callable[[], float]
    ) -> None:
        """Know nothing yet.

        Args:
            pool: connections whose login may become `booking_background`.
            projections: the names of those to tell of.
            monotonic: seconds that never go back.
        """
        self._pool = pool
        self._projections = frozenset(projections)
        self._monotonic = monotonic
        self._lags: Sequence[Lag] = []
        self._looked_at = 0.0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Look now, and every few seconds.

        Yields:
            To those who ask.
        """
        await self.look()
        async with every_so_often(self.look, LOOK_SECONDS):
            yield

    def lags(self) -> list[WatchedLag]:
        """Tell what was measured last; nothing of a projection that no runner has ever measured."""
        since = self._monotonic() - self._looked_at
        return [WatchedLag(lag, lag.age + since) for lag in self._lags]

    async def look(self) -> None:
        """Read what was measured; where that fails, what is known grows old."""
        try:
            async with borrowed(self._pool) as conn, conn.transaction():
                await conn.execute(_AS_BACKGROUND)
                lags = await read_lags(conn)
        except Overloaded:  # the pool's log line says why
            return
        except psycopg.Error as error:
            log.warning("lag_watch.cannot_look", error=type(error).__name__)
            return
        self._lags = [lag for lag in lags if lag.projection in self._projections]
        self._looked_at = self._monotonic()
