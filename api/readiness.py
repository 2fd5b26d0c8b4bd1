"""Whether this process can serve: the database answers, is migrated, and commits get through."""

import asyncio
from collections.abc import Callable, Mapping

import psycopg
from psycopg.rows import class_row

from api.draining import Draining
from infra.postgres.pool import Pool
from infra.postgres.schema import (
    APPLIED_FUNCTION_FILES,
    APPLIED_MIGRATIONS,
    HAS_FUNCTION_FILES,
    Applied,
    AppliedFunctionFile,
    AppliedMigration,
    Schema,
)

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
        schema: Schema,
        draining: Draining,
    ) -> None:
        """Look at nothing yet.

        Args:
            pool: connections of `booking_api`.
            stuck_for: for how many seconds commands have waited with none committed.
            schema: what this program was written for. A database may have more: processes of the
                version before stay ready while a newer one is deployed.
            draining: whether it has been told to stop.
        """
        self._pool = pool
        self._stuck_for = stuck_for
        self._schema = schema
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
            self._look.add_done_callback(_hear)
        done, _ = await asyncio.wait({self._look}, timeout=ANSWER_SECONDS)
        try:
            migrations = self._look.result() if done else None
        except psycopg.Error:  # it is told, and the pool's own log line says more
            migrations = None
        stuck = self._stuck_for()
        silent = (
            "it refuses connections; the log says why"
            if self._pool.refuses
            else f"no answer within {ANSWER_SECONDS:g} s"
        )
        return {
            "database": OK if migrations else silent,
            "migrations": migrations or "not known",
            "commit_queue": OK
            if stuck < STUCK_SECONDS
            else f"nothing was committed for {stuck:.0f} s",
        }

    async def _migrations_applied(self) -> str:
        async with self._pool.connection() as conn:
            cursor = conn.cursor(row_factory=class_row(AppliedMigration))
            await cursor.execute(APPLIED_MIGRATIONS)
            migrations = {line.version: line async for line in cursor}
            function_files = {}
            if (await conn.execute(HAS_FUNCTION_FILES)).rowcount:
                lines = conn.cursor(row_factory=class_row(AppliedFunctionFile))
                await lines.execute(APPLIED_FUNCTION_FILES)
                function_files = {line.name: line async for line in lines}
        missing = len(self._schema.lacking(Applied(migrations, function_files)))
        return f"{missing} pending: run booking migrate" if missing else OK


def _hear(look: asyncio.Task[str]) -> None:
    """Take note of how a look ended, also where nobody waits for it any more."""
    if not look.cancelled():
        look.exception()
