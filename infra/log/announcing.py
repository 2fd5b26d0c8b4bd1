"""Tells whoever follows the log which tenants have new events, after the commit and all at once.

A NOTIFY in the transaction that appends would make commits wait for one another; here one names all
tenants of the last moment. It is a hint: whoever misses it looks by itself every few seconds.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import psycopg
import structlog

from domain.ids import TenantId
from infra.errors import Overloaded
from infra.postgres.pool import Pool, borrowed

log = structlog.get_logger(__name__)

CHANNEL = "booking_appended"
PAUSE_SECONDS = 0.1
"""Between two announcements of a process; events of that time are announced together.

What comes after a pause is announced at once. Under load, each announcement costs a step of the
projectors, whose price hardly depends on how many events it has.
"""

TENANTS_AT_ONCE = 200
"""A payload has less than 8,000 bytes; a tenant takes 33."""


class Announcer:
    """Announces the tenants to whose logs this process has appended."""

    def __init__(self, pool: Pool) -> None:
        """Keep the pool.

        Args:
            pool: any connections to the database.
        """
        self._pool = pool
        self._fresh: dict[TenantId, None] = {}
        self._some = asyncio.Event()

    def appended(self, tenant_id: TenantId) -> None:
        """Learn that a tenant's log has new events, committed.

        Args:
            tenant_id: whose.
        """
        self._fresh[tenant_id] = None
        self._some.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Announce until left, and what is left then once more.

        Yields:
            To what appends.
        """
        announcing = asyncio.create_task(self._announce_all())
        try:
            yield
        finally:
            announcing.cancel()
            await asyncio.wait({announcing})
            await self._announce()

    async def _announce_all(self) -> None:
        while True:
            await self._some.wait()
            await self._announce()
            await asyncio.sleep(PAUSE_SECONDS)

    async def _announce(self) -> None:
        self._some.clear()
        fresh, self._fresh = [*self._fresh], {}
        try:
            while fresh:
                named, fresh = fresh[:TENANTS_AT_ONCE], fresh[TENANTS_AT_ONCE:]
                payload = ",".join(tenant_id.hex for tenant_id in named)
                async with borrowed(self._pool) as conn:
                    await conn.execute("select pg_notify(%s, %s)", [CHANNEL, payload])
        except (Overloaded, psycopg.Error) as error:
            log.warning("log.not_announced", error=type(error).__name__)


def tenants_in(payload: str) -> list[TenantId]:
    """Read an announcement.

    Args:
        payload: of a notification; anybody who can log in could have sent it.

    Returns:
        The tenants that it names; none where it is not one of ours.
    """
    try:
        return [TenantId(UUID(hex=name)) for name in payload.split(",")]
    except ValueError:
        return []
