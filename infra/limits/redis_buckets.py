"""Buckets in Redis, which all processes share: what one lets in, the others know at once.

The script takes from all of a request's buckets in one step and one round trip. It reads Redis' own
clock, so that machines whose clocks differ count alike.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import cast

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from infra.circuit_breaker import CircuitBreaker, CircuitOpen
from infra.circuits import Circuits
from infra.limits.allowance import TENANT, Limits, Taken
from infra.redis_circuit import ANSWER_SECONDS, circuit_to_redis

VERSION = 1
"""Of what stands in Redis. Another script's buckets have other names."""

CONNECTIONS = 32

_MICROSECONDS = 1_000_000
_SCRIPT = (files(__package__) / "take.lua").read_text()


class RedisAway(Exception):
    """Redis does not answer, or is left alone since it did not; nothing is known to be taken."""


class RedisBuckets:
    """The shared buckets."""

    def __init__(self, redis: Redis, circuit: CircuitBreaker) -> None:
        """Ask nothing yet.

        Args:
            redis: where they are.
            circuit: to it.
        """
        self._redis = redis
        self._script = redis.register_script(_SCRIPT)
        self._circuit = circuit

    async def take(self, limits: Limits, whose: Sequence[str]) -> Taken:
        """Take a token from every bucket, or none from any.

        Args:
            limits: that count.
            whose: the names of the buckets, in the order of the limits; all of one tenant.

        Raises:
            RedisAway: it cannot be asked.
        """
        return await self._ask(limits, whose, cost=1, refusable=True)

    async def charge(self, limits: Limits, whose: Sequence[str], cost: int) -> Taken:
        """Take tokens whether they are there or not; what comes next waits longer for it.

        Args:
            limits: that count.
            whose: as for `take`.
            cost: how many.

        Raises:
            RedisAway: it cannot be asked.
        """
        return await self._ask(limits, whose, cost=cost, refusable=False)

    async def _ask(
        self, limits: Limits, whose: Sequence[str], *, cost: int, refusable: bool
    ) -> Taken:
        try:
            with self._circuit.guard():
                async with asyncio.timeout(ANSWER_SECONDS):
                    return await self._run(limits, whose, cost=cost, refusable=refusable)
        except (RedisError, OSError, TimeoutError, CircuitOpen) as error:
            raise RedisAway from error

    async def _run(
        self, limits: Limits, whose: Sequence[str], *, cost: int, refusable: bool
    ) -> Taken:
        shapes = [
            round(seconds * _MICROSECONDS)
            for bucket in limits.buckets
            for seconds in (bucket.interval, bucket.window, bucket.deepest)
        ]
        answer = cast(
            "list[int]", await self._script(keys=whose, args=[cost, int(refusable), *shapes])
        )
        wait, *to_full = (microseconds / _MICROSECONDS for microseconds in answer)
        return Taken(limits, to_full, wait)


@asynccontextmanager
async def buckets_in_redis(
    url: str | None, circuits: Circuits
) -> AsyncIterator[RedisBuckets | None]:
    """Have the shared buckets; nothing is connected before the first request.

    Args:
        url: as REDIS_URL has it; None where there is no Redis.
        circuits: of the process; Redis has one there from now on.

    Yields:
        The buckets; None without Redis.
    """
    if url is None:
        yield None
        return
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=CONNECTIONS,
        timeout=ANSWER_SECONDS,
        socket_timeout=ANSWER_SECONDS,
        socket_connect_timeout=ANSWER_SECONDS,
        # Not tried again: taking twice is not the same, and this process' own buckets are at hand.
        retry=Retry(NoBackoff(), 0),
    )
    redis = Redis.from_pool(pool)
    try:
        yield RedisBuckets(redis, circuit_to_redis(circuits))
    finally:
        await redis.aclose()


def names_of(limits: Limits, tenant: object, actor: str) -> tuple[str, ...]:
    """Name a request's buckets in Redis; a cluster keeps all of one tenant's in one place.

    Args:
        limits: that count.
        tenant: the tenant's id.
        actor: the key or person.
    """
    of_tenant = f"booking:limits:{VERSION}:{{{tenant}}}"
    return tuple(
        f"{of_tenant}:{bucket.name}" if bucket.name is TENANT else f"{of_tenant}:{actor}"
        for bucket in limits.buckets
    )
