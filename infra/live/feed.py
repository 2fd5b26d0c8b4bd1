"""Follows the logs of those tenants that somebody in this process looks at.

Each process reads the log itself, as DESIGN has it of all that follows it: what passes between
processes is only the hint that there is something to read. So no broker that dies takes a message
with it, and a client that comes back to another process goes on from its position there.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog

from domain.ids import TenantId
from domain.mapper import EventMapper
from infra.asking import Asking
from infra.ending import end
from infra.errors import Overloaded
from infra.live.deriving import Deriving
from infra.live.tenant_feed import TenantFeed
from infra.log.announcing import CHANNEL, tenants_in
from infra.log.reader import select_head
from infra.pacing import Rounds
from infra.postgres.listening import listen
from infra.postgres.pool import Pool, reading

log = structlog.get_logger(__name__)

LISTENER = "booking_feed"
"""The name of the connection that listens."""

MOST_TENANTS = 1_000
"""That are followed at once; one more has to wait until another is left."""

MOST_REMEMBERED = 50_000
"""Changes of all tenants together, some 75 MB; the last few of each are remembered besides."""

BEGIN_SECONDS = 3.0
"""For the first look at a log."""

POLL_SECONDS = 10.0
"""Between two looks at a log of which nothing was heard."""

IDLE_SECONDS = 60.0
"""After which a tenant that nobody listens to, or asks about, is followed no more."""

HEARTBEAT_SECONDS = 15.0


@dataclass(slots=True)
class _Followed:
    feed: TenantFeed
    following: "asyncio.Task[None]"


class Feed:
    """The logs that this process follows. Belongs to one event loop."""

    def __init__(
        self,
        pool: Pool,
        rounds: Rounds,
        *,
        poll_seconds: float = POLL_SECONDS,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        """Follow nothing yet.

        Args:
            pool: connections of `booking_api`.
            rounds: shared with all other long work.
            poll_seconds: between two looks at a log of which nothing was heard.
            heartbeat_seconds: between two heartbeats.
            idle_seconds: after which a tenant that nobody asks about is left.
        """
        self._pool = pool
        self._poll_seconds = poll_seconds
        self._heartbeat_seconds = heartbeat_seconds
        self._idle_seconds = idle_seconds
        self._deriving = Deriving(EventMapper(), rounds)
        self._followed: dict[TenantId, _Followed] = {}
        self._beginning = Asking(self._begin, MOST_TENANTS)

    @property
    def tenants(self) -> int:
        """How many are followed."""
        return len(self._followed)

    @property
    def remembered(self) -> int:
        """How many changes are remembered."""
        return sum(each.feed.remembered for each in self._followed.values())

    @asynccontextmanager
    async def running(self, dsn: str) -> AsyncIterator[None]:
        """Follow until left.

        Args:
            dsn: straight to the server, for a connection that listens.

        Yields:
            To those who want to know.
        """
        tasks = [
            asyncio.create_task(work)
            for work in (
                listen(dsn, CHANNEL, self._hear, LISTENER),
                self._poll(),
                self._beat(),
            )
        ]
        try:
            yield
        finally:
            tasks += [each.following for each in self._followed.values()]
            await end(tasks)

    async def follow(self, tenant_id: TenantId) -> TenantFeed:
        """Follow a tenant's log, from now on if it is not followed already.

        Args:
            tenant_id: whose.

        Raises:
            Overloaded: too many are followed, or the database could not be asked in time.
        """
        return self.followed(tenant_id) or await self._beginning.answer(tenant_id)

    def followed(self, tenant_id: TenantId) -> TenantFeed | None:
        """Give the feed of a tenant, where its log is followed.

        Args:
            tenant_id: whose.
        """
        followed = self._followed.get(tenant_id)
        if followed is None:
            return None
        followed.feed.used_at = time.monotonic()
        return followed.feed

    def appended(self, tenant_id: TenantId, seq: int) -> None:
        """Learn that a tenant's log is at least so long.

        Args:
            tenant_id: whose.
            seq: the last position known.
        """
        if (followed := self._followed.get(tenant_id)) is not None:
            followed.feed.appended(seq)

    def heard(self, tenant_id: TenantId, seq: int) -> None:
        """Learn that a tenant's log may be so long: whoever says so is not believed, but checked.

        Args:
            tenant_id: whose.
            seq: the last position, as it is said.
        """
        followed = self._followed.get(tenant_id)
        if followed is not None and followed.feed.position < seq:
            followed.feed.wake()

    async def _begin(self, tenant_id: TenantId) -> TenantFeed:
        if len(self._followed) >= MOST_TENANTS:
            raise Overloaded
        async with reading(self._pool, tenant_id) as conn:
            head = await select_head(conn, tenant_id)
        feed = TenantFeed(self._pool, self._deriving, tenant_id, head.seq)
        self._followed[tenant_id] = _Followed(feed, asyncio.create_task(feed.follow()))
        if not await feed.reached(head.seq, BEGIN_SECONDS):
            raise Overloaded
        return feed

    def _hear(self, payload: str) -> None:
        for tenant_id in tenants_in(payload):
            if (followed := self._followed.get(tenant_id)) is not None:
                followed.feed.wake()

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(self._poll_seconds)
            await self._leave_the_idle()
            self._forget_the_oldest()
            for followed in self._followed.values():
                followed.feed.wake()

    async def _leave_the_idle(self) -> None:
        since = time.monotonic() - self._idle_seconds
        for tenant_id, followed in [*self._followed.items()]:
            if not followed.feed.rooms and followed.feed.used_at < since:
                del self._followed[tenant_id]
                await end([followed.following])

    def _forget_the_oldest(self) -> None:
        """Have those forget who remember most, until all together remember little enough."""
        while self.remembered > MOST_REMEMBERED:
            most = max(self._followed.values(), key=lambda each: each.feed.remembered)
            most.feed.forget_a_block()

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._heartbeat_seconds)
            for followed in [*self._followed.values()]:
                followed.feed.beat()
