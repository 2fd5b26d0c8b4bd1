"""Tells other processes at once, through Redis, how far the logs are that this one appends to.

A hint, like the NOTIFY that follows a tenth of a second later: it says nothing of what happened,
and whoever hears it looks at the log.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from domain.ids import TenantId
from infra.circuit_breaker import CircuitBreaker, CircuitOpen
from infra.ending import end
from infra.live import Feed
from infra.redis_circuit import ANSWER_SECONDS
from infra.telemetry.refrain import Refrain

log = structlog.get_logger(__name__)

CHANNEL = "booking:heads"
TENANTS_AT_ONCE = 200
SHORTEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 10.0
"""Between two attempts to listen."""


class Heads:
    """Where the logs end, to and from other processes."""

    def __init__(self, redis: Redis, circuit: CircuitBreaker, feed: Feed) -> None:
        """Keep the parts.

        Args:
            redis: that tells it.
            circuit: to it.
            feed: is woken by what is heard.
        """
        self._redis = redis
        self._circuit = circuit
        self._feed = feed
        self._own = secrets.token_hex(8)  # what this process tells, it knows
        self._fresh: dict[TenantId, int] = {}
        self._some = asyncio.Event()
        self._untold = Refrain(lambda times: log.warning("cache.heads_untold", times=times))

    def appended(self, tenant_id: TenantId, last: int) -> None:
        """Learn that this process has appended to a log, committed.

        Args:
            tenant_id: whose.
            last: its last position.
        """
        self._fresh[tenant_id] = max(last, self._fresh.get(tenant_id, 0))
        self._some.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Tell and listen until left.

        Yields:
            To what appends and reads.
        """
        tasks = {asyncio.create_task(work) for work in (self._tell(), self._listen())}
        try:
            yield
        finally:
            await end(tasks)

    async def _tell(self) -> None:
        while True:
            await self._some.wait()
            self._some.clear()
            fresh, self._fresh = [*self._fresh.items()], {}
            while fresh:
                told, fresh = fresh[:TENANTS_AT_ONCE], fresh[TENANTS_AT_ONCE:]
                heads = ",".join(f"{tenant_id.hex}:{last}" for tenant_id, last in told)
                try:
                    with self._circuit.guard():
                        async with asyncio.timeout(ANSWER_SECONDS):
                            await self._redis.publish(CHANNEL, f"{self._own} {heads}")
                except (RedisError, OSError, TimeoutError, CircuitOpen):
                    self._untold.due()

    async def _listen(self) -> None:
        pause = SHORTEST_PAUSE_SECONDS
        while True:
            try:
                async with self._redis.pubsub(ignore_subscribe_messages=True) as listening:
                    await listening.subscribe(CHANNEL)
                    pause = SHORTEST_PAUSE_SECONDS
                    async for message in listening.listen():
                        self._hear(message["data"])
            except (RedisError, OSError) as error:
                log.info("cache.not_listening", error=type(error).__name__)
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def _hear(self, payload: bytes) -> None:
        """Have the logs looked at that have grown; nobody is believed how long they are."""
        own, _, heads = payload.decode(errors="replace").partition(" ")
        if own == self._own:
            return
        for head in heads.split(","):
            try:
                name, last = head.split(":")
                tenant_id, position = TenantId(UUID(hex=name)), int(last)
            except ValueError:
                continue
            self._feed.heard(tenant_id, position)
