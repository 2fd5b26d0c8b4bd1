"""Keeps a CDN from showing what was: follows the log, and purges the public pages it changed.

It runs where projectors run, in any number of processes. No command waits for it: while the CDN
does not answer, what is to be purged is kept in the database, a row for each resource at most.
"""

import asyncio
import random
from collections.abc import Callable, Iterable

import psycopg
import structlog
from psycopg_pool import PoolTimeout

from domain.ids import TenantId
from infra.cdn.purger import MOST_TAGS, PurgeFailed, Purger
from infra.cdn.tags import resource_tag
from infra.circuit_breaker import CircuitOpen
from infra.circuits import Circuits
from infra.ending import run_together
from infra.limits.allowance import NOT_LIMITED, Allowance, limits_of
from infra.limits.local_buckets import LocalBuckets
from infra.log.announcing import CHANNEL, tenants_in
from infra.postgres.listening import listen
from infra.postgres.pool import Pool
from infra.publishing.staleness import (
    count_changes,
    its_my_turn,
    measure_staleness,
    note_purged,
    stale_pages,
    tenants_behind,
)

log = structlog.get_logger(__name__)

LISTENER = "booking_public_pages"
POLL_SECONDS = 5.0
GATHER_SECONDS = 1.0
"""Between two purges: what changes meanwhile shares the next one."""

FAILURES, PAUSE_SECONDS = 5, 30.0
FIRST_BACKOFF_SECONDS, LONGEST_BACKOFF_SECONDS = 1.0, 300.0
MOST_WOKEN = 1000
"""Tenants that are remembered as having new events; beyond that, all are looked at."""

BURST = 25
"""What Cloudflare lets an account purge at once, on its smallest plans."""

_NOT_NOW = (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout)


class PublicPageFollower:
    """Turns events into stale pages, and stale pages into purges."""

    def __init__(
        self,
        pool: Pool,
        purger: Purger,
        *,
        circuits: Circuits,
        purges_a_minute: float,
        clock: Callable[[], float],
        poll_seconds: float = POLL_SECONDS,
        gather_seconds: float = GATHER_SECONDS,
        backoff_seconds: float = FIRST_BACKOFF_SECONDS,
    ) -> None:
        """Keep its parts.

        Args:
            pool: connections of the role `booking_projector`; it takes two at most.
            purger: the CDN.
            circuits: its circuit becomes one of them.
            purges_a_minute: that the CDN takes in the long run; in a burst, BURST.
            clock: seconds that never go backwards.
            poll_seconds: between two looks at all tenants.
            gather_seconds: between two purges.
            backoff_seconds: after the first failure; twice as long after each next one.
        """
        self._pool = pool
        self._purger = purger
        self._clock = clock
        self._poll_seconds = poll_seconds
        self._gather_seconds = gather_seconds
        self._backoff_seconds = backoff_seconds
        self._limits = limits_of(Allowance(purges_a_minute / 60, BURST), NOT_LIMITED)
        self._buckets = LocalBuckets()
        self._circuit = circuits.breaker(
            purger.name, failures=FAILURES, pause_seconds=PAUSE_SECONDS
        )
        self._woken: dict[TenantId, None] = {}
        self._some = asyncio.Event()
        self._stale = asyncio.Event()

    async def run(self, dsn: str) -> None:
        """Work until cancelled; a fault is told, and never one of the projectors beside it.

        Args:
            dsn: straight to the server, for a connection that listens.
        """
        while True:
            try:
                await run_together(
                    listen(dsn, CHANNEL, self._hear, LISTENER), self._follow(), self._purge()
                )
            except* Exception:  # whatever it is, it is begun again
                log.exception("public_pages.fault")
            await asyncio.sleep(self._poll_seconds)

    def _hear(self, payload: str) -> None:
        self.wake(tenants_in(payload))

    def wake(self, tenants: Iterable[TenantId]) -> None:
        """Learn that tenants have new events.

        Args:
            tenants: which.
        """
        for tenant_id in tenants:
            if len(self._woken) <= MOST_WOKEN:
                self._woken[tenant_id] = None
        self._some.set()

    async def catch_up(self, tenants: list[TenantId] | None = None) -> None:
        """Count what events have changed, as far as the log goes.

        Args:
            tenants: of these; None for all.

        Raises:
            psycopg.OperationalError: the database does not answer.
        """
        async with self._pool.connection() as conn:
            for tenant_id in await tenants_behind(conn, tenants):
                try:
                    while await count_changes(conn, tenant_id):
                        pass
                except (LookupError, ValueError) as error:  # the others go on
                    log.error(  # noqa: TRY400 - a traceback could show what an event says
                        "public_pages.cannot_follow",
                        tenant_id=str(tenant_id),
                        error=type(error).__name__,
                    )
        self._stale.set()

    async def measure(self) -> None:
        """Tell how many pages are stale, and since when.

        Raises:
            psycopg.OperationalError: the database does not answer.
        """
        async with self._pool.connection() as conn:
            await measure_staleness(conn)

    async def purge_once(self) -> int:
        """Purge what is stale, with one request.

        Returns:
            How many tags it had; 0 where nothing is stale, or somebody else purges.

        Raises:
            PurgeFailed: the CDN did not take it.
            CircuitOpen: it did not answer lately, and was not asked.
            psycopg.OperationalError: the database does not answer; the CDN may have been asked.
        """
        async with self._pool.connection() as conn, conn.transaction():
            pages = await stale_pages(conn) if await its_my_turn(conn) else []
            if pages:
                with self._circuit.guard():
                    await self._purger.purge([resource_tag(page.resource_id) for page in pages])
                await note_purged(conn, pages)
        return len(pages)

    async def _follow(self) -> None:
        look_at_all = self._clock()
        while True:
            everybody = self._clock() >= look_at_all or len(self._woken) > MOST_WOKEN
            if everybody:
                look_at_all = self._clock() + self._poll_seconds
            tenants = [*self._woken]
            self._woken.clear()
            self._some.clear()
            try:
                await self.catch_up(None if everybody else tenants)
                if everybody:
                    await self.measure()
            except _NOT_NOW as error:
                log.warning("public_pages.cannot_follow_now", error=type(error).__name__)
            await _set_or_later(self._some, look_at_all - self._clock())

    async def _purge(self) -> None:
        failures = 0
        while True:
            self._stale.clear()
            pause, purged = self._gather_seconds, 0
            try:
                if await self._any_stale():
                    await self._for_a_token()
                    purged = await self.purge_once()
                failures = 0
            except PurgeFailed as error:
                failures += 1
                pause = max(error.retry_after or 0, self._backoff(failures))
                log.warning("cdn.not_purged", cdn=self._purger.name, error=str(error), again=pause)
            except CircuitOpen:
                pause = PAUSE_SECONDS
            except _NOT_NOW as error:
                log.warning("cdn.cannot_look", error=type(error).__name__)
            else:
                if purged:
                    log.info("cdn.purged", cdn=self._purger.name, tags=purged)
            await asyncio.sleep(pause)
            if purged < MOST_TAGS and not failures:
                await _set_or_later(self._stale, self._poll_seconds)

    async def _any_stale(self) -> bool:
        async with self._pool.connection() as conn:
            return bool(await stale_pages(conn, most=1))

    async def _for_a_token(self) -> None:
        while True:
            taken = self._buckets.take(self._limits, [self._purger.name], self._clock())
            if not taken.wait:
                return
            await asyncio.sleep(taken.wait)

    def _backoff(self, failures: int) -> float:
        doubled: int = 2 ** min(failures - 1, 20)
        longest = min(self._backoff_seconds * doubled, LONGEST_BACKOFF_SECONDS)
        return longest * random.uniform(0.5, 1.0)  # noqa: S311 - so that not all come at once


async def _set_or_later(event: asyncio.Event, seconds: float) -> None:
    """Wait until it is set, or for so long."""
    try:
        async with asyncio.timeout(max(0.0, seconds)):
            await event.wait()
    except TimeoutError:
        return
