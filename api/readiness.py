"""Whether this process can serve: the database answers, is migrated, and commits get through."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

import psycopg

from api.draining import Draining
from infra.postgres.migrator import Migration
from infra.postgres.pool import Pool

ANSWER_SECONDS = 1.0
STUCK_SECONDS = 15.0
"""A flight is bounded by 10 s of statement time, and one more for sending it again."""

OK = "ok"


class Readiness:
    """Looks when asked, and never for long."""

    def __init__(
        self,
        pool: Pool,
        stuck_for: Callable[[], float],
        migrations: Sequence[Migration],
        draining: Draining,
    ) -> None:
        """Look at nothing yet.

        Args:
            pool: connections of `booking_api`.
            stuck_for: for how many seconds commands have waited with none committed.
            migrations: those that this program was written for.
            draining: whether it has been told to stop.
        """
        self._pool = pool
        self._stuck_for = stuck_for
        self._migrations = {(migration.version, migration.sha256) for migration in migrations}
        self._draining = draining
        self._look: asyncio.Task[str] | None = None

    async def check(self) -> Mapping[str, str]:
        """Look at everything.

        Returns:
            For each thing `ok`, or what is wrong with it.
        """
        if self._draining.began:
            return {"process": "it was told to stop"}
        # The look is awaited without cancelling it, since giving up a statement takes a word from
        # the same database. It is bounded by the waits of its pool; until it ends, others join it.
        if self._look is None or self._look.done():
            self._look = asyncio.create_task(self._migrations_applied())
        done, _ = await asyncio.wait({self._look}, timeout=ANSWER_SECONDS)
        try:
            migrations = self._look.result() if done else None
        except psycopg.Error:  # it is told, and the pool's own log line says more
            migrations = None
        stuck = self._stuck_for()
        return {
            "database": OK if migrations else f"no answer within {ANSWER_SECONDS:g} s",
            "migrations": migrations or "not known",
            "commit_queue": OK
            if stuck < STUCK_SECONDS
            else f"nothing was committed for {stuck:.0f} s",
        }

    async def _migrations_applied(self) -> str:
        async with self._pool.connection() as conn:
            cursor = await conn.execute("select version, sha256 from booking.migration")
            applied = {(version, sha256) for version, sha256 in await cursor.fetchall()}
        missing = len(self._migrations - applied)
        return f"{missing} pending: run booking migrate" if missing else OK
