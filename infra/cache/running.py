"""Puts the caches of a process together, and takes them apart again."""

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from domain.ids import TenantId
from infra.cache.answers import Answers, Looked
from infra.cache.database_clock import DatabaseClock
from infra.cache.heads import Heads
from infra.cache.local import LocalCache
from infra.cache.recent import RecentCalendars
from infra.cache.shared import ANSWER_SECONDS, SharedCache
from infra.circuits import Circuits
from infra.every_so_often import every_so_often
from infra.live import Feed
from infra.redis_circuit import circuit_to_redis

SWEEP_SECONDS = 10.0
CONNECTIONS = 4
FAILURES, REST_SECONDS = 3, 5.0


@dataclass(frozen=True, slots=True)
class RunningAnswers:
    """The caches with the parts that others tell of what happens.

    Attributes:
        answers: the caches.
        heads: is told of what this process appends; None without Redis.
        recent: knows which calendars were asked for last; None without Redis.
    """

    answers: Answers
    heads: Heads | None
    recent: RecentCalendars | None

    def appended(self, tenant_id: TenantId, last: int) -> None:
        """Learn that this process has appended to a log, committed.

        Args:
            tenant_id: whose.
            last: its last position.
        """
        if self.heads is not None:
            self.heads.appended(tenant_id, last)


@asynccontextmanager
async def running_answers(
    local: LocalCache, redis_url: str | None, feed: Feed, circuits: Circuits, looked: Looked
) -> AsyncIterator[RunningAnswers]:
    """Have caches; Redis is not connected to before it is needed.

    Args:
        local: the layer in this process.
        redis_url: where answers are shared; None for nowhere.
        feed: follows the logs.
        circuits: of the process.
        looked: is told of hits and misses.

    Yields:
        The caches.
    """
    clock = time.monotonic
    database_clock = DatabaseClock(clock)
    async with AsyncExitStack() as parts:
        shared = heads = recent = None
        if redis_url is not None:
            redis = _impatient(redis_url)
            parts.push_async_callback(redis.aclose)
            circuit = circuits.breaker("Redis cache", failures=FAILURES, pause_seconds=REST_SECONDS)
            recent = RecentCalendars(redis, circuit)
            shared = SharedCache(redis, circuit, database_clock, clock)
            parts.push_async_callback(shared.close)
            listening = Redis.from_url(
                redis_url,
                socket_connect_timeout=1.0,
                health_check_interval=15,
                retry=Retry(NoBackoff(), 0),
            )
            parts.push_async_callback(listening.aclose)
            heads = Heads(listening, circuit_to_redis(circuits), feed)
            await parts.enter_async_context(heads.running())
        answers = Answers(feed, database_clock, local, shared, recent, looked, clock)
        parts.push_async_callback(answers.close)

        async def sweep() -> None:
            local.expire()
            if recent is not None:
                await recent.tell()

        await parts.enter_async_context(every_so_often(sweep, SWEEP_SECONDS))
        yield RunningAnswers(answers, heads, recent)


def _impatient(url: str) -> Redis:
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=CONNECTIONS,
        timeout=ANSWER_SECONDS,
        socket_timeout=ANSWER_SECONDS,
        socket_connect_timeout=ANSWER_SECONDS,
        retry=Retry(NoBackoff(), 0),  # not tried again: the database is at hand
    )
    return Redis.from_pool(pool)
