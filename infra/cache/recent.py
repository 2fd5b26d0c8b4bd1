"""Which calendars were asked for last, so that a process that starts can read them beforehand.

Redis has ids and windows of them, in the order in which they were asked for, and no more than a few
hundred.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self, cast
from uuid import UUID

from redis.asyncio import Redis
from redis.exceptions import RedisError

from domain.errors import InvalidPeriod
from domain.ids import ResourceId, TenantId
from domain.period import Period
from infra.cache.entry import Question
from infra.cache.shared import ANSWER_SECONDS, FORM
from infra.circuit_breaker import CircuitBreaker, CircuitOpen

KEY = f"booking:cache:{FORM}:recent"
MOST = 256
KEPT_SECONDS = 2 * 86_400


@dataclass(frozen=True, slots=True)
class RecentCalendar:
    """A calendar that was asked for.

    Attributes:
        tenant_id: by whom.
        resource_id: of which resource.
        window: which part.
        limit: entries a page.
    """

    tenant_id: TenantId
    resource_id: ResourceId
    window: Period
    limit: int

    @classmethod
    def named(cls, key: str) -> Self:
        """Read the key of a question.

        Args:
            key: as it stood in Redis.

        Raises:
            ValueError: it is none of a calendar.
            InvalidPeriod: of a window that nobody can ask for.
        """
        tenant, kind, resource, rest = key.split(":", 3)
        times, limit = rest.rsplit(":", 1)
        start, end = map(datetime.fromisoformat, times.split("/"))
        if kind != "calendar" or start.tzinfo is None or end.tzinfo is None:
            raise ValueError(key)
        window = Period(start, end)
        return cls(TenantId(UUID(tenant)), ResourceId(UUID(resource)), window, int(limit))


class RecentCalendars:
    """The calendars asked for last, by all processes. Belongs to one event loop."""

    def __init__(self, redis: Redis, circuit: CircuitBreaker) -> None:
        """Know of none yet.

        Args:
            redis: where all processes note them.
            circuit: to it.
        """
        self._redis = redis
        self._circuit = circuit
        self._fresh: dict[str, None] = {}

    def note(self, question: Question) -> None:
        """Take note that a calendar was asked for.

        Args:
            question: that asks for it.
        """
        if len(self._fresh) < MOST:
            self._fresh[question.key] = None

    async def tell(self) -> None:
        """Note in Redis what was asked for since the last time."""
        fresh, self._fresh = self._fresh, {}
        if not fresh:
            return
        now = time.time()  # only their order counts
        try:
            with self._circuit.guard():
                async with asyncio.timeout(ANSWER_SECONDS):
                    pipeline = self._redis.pipeline(transaction=False)
                    pipeline.zadd(KEY, dict.fromkeys(fresh, now))
                    pipeline.zremrangebyrank(KEY, 0, -MOST - 1)
                    pipeline.expire(KEY, KEPT_SECONDS)
                    await pipeline.execute()
        except (RedisError, OSError, TimeoutError, CircuitOpen):
            return  # what is asked for again is noted again

    async def last(self) -> Sequence[RecentCalendar]:
        """Tell what was asked for, latest first; nothing where Redis does not answer."""
        try:
            with self._circuit.guard():
                async with asyncio.timeout(ANSWER_SECONDS):
                    noted = cast("list[bytes]", await self._redis.zrevrange(KEY, 0, MOST - 1))
        except (RedisError, OSError, TimeoutError, CircuitOpen):
            return []
        calendars = []
        for key in noted:
            try:
                calendars.append(RecentCalendar.named(key.decode()))
            except (ValueError, InvalidPeriod):
                continue  # not ours, or of another form
        return calendars
