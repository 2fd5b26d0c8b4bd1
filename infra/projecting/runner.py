"""Keeps projections up with the log: woken by announcements, and looking by itself now and then.

Any number of runners, in any number of processes, share the tenants; none of them leads.
"""

import asyncio
from collections.abc import Collection, Iterable

import psycopg
import structlog
from psycopg_pool import PoolTimeout

from domain.ids import TenantId
from infra.ending import run_together
from infra.log.announcing import CHANNEL, tenants_in
from infra.postgres.listening import listen
from infra.postgres.pool import Pool
from infra.projecting.checkpoints import Checkpoints
from infra.projecting.lag import measure
from infra.projecting.step import EVENTS_AT_ONCE, Stepping
from projections.asynchronous import Projection

log = structlog.get_logger(__name__)

LISTENER = "booking_listener"
"""The name of the connection that listens."""

POLL_SECONDS = 5.0
TENANTS_AT_ONCE = 2
PAUSE_SECONDS = 0.5
"""After a database that did not answer."""

_NOT_NOW = (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout)


class ProjectionRunner:
    """Projects the events of all tenants, a batch of one tenant at a time."""

    def __init__(
        self,
        pool: Pool,
        projections: Collection[Projection],
        *,
        tenants_at_once: int = TENANTS_AT_ONCE,
        events_at_once: int = EVENTS_AT_ONCE,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        """Keep its parts.

        Args:
            pool: connections of the role `booking_projector`; at least one for each tenant at
                once, and one more.
            projections: what to keep up.
            tenants_at_once: how many are worked on side by side.
            events_at_once: of one tenant, in one transaction.
            poll_seconds: between two looks at all tenants.
        """
        self._pool = pool
        self._names = {projection.name for projection in projections}
        self._checkpoints = Checkpoints(projections)
        self._stepping = Stepping(pool, projections, events_at_once)
        self._tenants_at_once = tenants_at_once
        self._poll_seconds = poll_seconds
        self._waiting: dict[TenantId, None] = {}
        self._under_way: set[TenantId] = set()
        self._some = asyncio.Event()

    async def run(self, dsn: str) -> None:
        """Work until cancelled.

        Args:
            dsn: straight to the server, for a connection that listens.
        """
        await run_together(
            listen(dsn, CHANNEL, self._hear, LISTENER),
            self._poll(),
            *(self._work() for _ in range(self._tenants_at_once)),
        )

    def _hear(self, payload: str) -> None:
        self.wake(tenants_in(payload))

    def wake(self, tenants: Iterable[TenantId]) -> None:
        """Learn that tenants have new events.

        Args:
            tenants: which.
        """
        for tenant_id in tenants:
            self._waiting[tenant_id] = None
        self._some.set()

    async def catch_up(self) -> None:
        """Work until no tenant that can be worked on is behind: for tests and benchmarks.

        Raises:
            psycopg.OperationalError: the database does not answer.
        """
        async with self._pool.connection() as conn:
            await self._checkpoints.begin(conn)
            self.wake(await self._checkpoints.behind(conn))
        await asyncio.gather(*[self._drain() for _ in range(self._tenants_at_once)])

    async def _poll(self) -> None:
        while True:
            try:
                async with self._pool.connection() as conn:
                    await self._checkpoints.begin(conn)
                    self.wake(await self._checkpoints.behind(conn))
                    await measure(conn, [*self._names])
            except _NOT_NOW as error:
                log.warning("projector.cannot_look", error=type(error).__name__)
            await asyncio.sleep(self._poll_seconds)

    async def _work(self) -> None:
        while True:
            if (tenant_id := self._next()) is not None:
                await self._step(tenant_id)
            else:
                await self._until_some()

    async def _drain(self) -> None:
        while self._waiting or self._under_way:
            if (tenant_id := self._next()) is not None:
                await self._step(tenant_id)
            else:
                await self._until_some()

    def _next(self) -> TenantId | None:
        """Take the tenant that has waited longest and is not worked on."""
        for tenant_id in self._waiting:
            if tenant_id not in self._under_way:
                del self._waiting[tenant_id]
                self._under_way.add(tenant_id)
                return tenant_id
        return None

    async def _until_some(self) -> None:
        self._some.clear()
        await self._some.wait()

    async def _step(self, tenant_id: TenantId) -> None:
        try:
            if await self._stepping.step(tenant_id):
                self._waiting[tenant_id] = None  # behind all others, so that each has its turn
        except _NOT_NOW as error:
            log.warning("projector.cannot_step", error=type(error).__name__)
            self._waiting[tenant_id] = None
            await asyncio.sleep(PAUSE_SECONDS)
        finally:
            self._under_way.discard(tenant_id)
            self._some.set()
