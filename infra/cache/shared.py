"""The second layer: answers in Redis, which all processes share.

The key of an answer names its tenant and since when nothing that it depends on has changed, so that
a stale one cannot be asked for. An answer repeats its key: one that came to the wrong question,
over a connection on which somebody gave up, is none. Nothing that shows who somebody is comes here.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextvars import Context
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, cast

import structlog
from pydantic import StringConstraints, TypeAdapter, ValidationError
from pydantic_core import to_json
from redis.asyncio import Redis
from redis.exceptions import RedisError

from infra.cache.database_clock import DatabaseClock
from infra.cache.entry import Entry, Question
from infra.circuit_breaker import CircuitBreaker, CircuitOpen
from infra.ending import end
from infra.telemetry.refrain import Refrain

log = structlog.get_logger(__name__)

FORM = 1
"""Of what stands in Redis. Another form has other keys."""

ANSWER_SECONDS = 0.05
"""How long a read waits for Redis: hardly longer than the database takes."""

KEPT_SECONDS = 3600
AT_ONCE = 100
WAITING = 1_000
"""What waits to be written; one more is not."""

MOST_BYTES = 256 * 1024
"""Of one answer; a larger one is not put here."""


@dataclass(frozen=True, slots=True)
class _Head:
    key: str
    tag: Annotated[str, StringConstraints(pattern='^"[!#-~]*"$')]  # it becomes a header
    holds_until: datetime | None
    same_if_tagged: bool


_HEAD = TypeAdapter(_Head)


class SharedCache:
    """The answers in Redis. Belongs to one event loop.

    Those who ask while others' answers are on their way travel together afterwards: a round trip
    costs as much as a dozen answers.
    """

    def __init__(
        self,
        redis: Redis,
        circuit: CircuitBreaker,
        database_clock: DatabaseClock,
        clock: Callable[[], float],
    ) -> None:
        """Ask nothing yet.

        Args:
            redis: where they are.
            circuit: to it.
            database_clock: by which holds expire.
            clock: seconds that never go backwards.
        """
        self._redis = redis
        self._circuit = circuit
        self._database_clock = database_clock
        self._clock = clock
        self._wanted: dict[str, asyncio.Future[bytes | None]] = {}
        self._asking: asyncio.Task[None] | None = None
        self._fresh: dict[str, tuple[bytes, int]] = {}
        self._writing: asyncio.Task[None] | None = None
        self._away = Refrain(lambda times: log.warning("cache.redis_away", times=times))

    async def get(self, question: Question, version: int) -> Entry | None:
        """Give an answer, if it is there and Redis answers in time.

        Args:
            question: what is asked.
            version: since when nothing that it depends on has changed.
        """
        key = _key(question, version)
        wanted = self._wanted.get(key)
        if wanted is None:
            wanted = self._wanted[key] = asyncio.get_running_loop().create_future()
            if self._asking is None:
                self._asking = asyncio.create_task(self._ask_all(), context=Context())
        found = await asyncio.shield(wanted)
        return None if found is None else self._entry(key, version, found)

    def put(self, question: Question, version: int, entry: Entry) -> None:
        """Keep an answer there, soon; whether that succeeds is nobody's concern.

        Args:
            question: what it answers.
            version: since when nothing that it depends on has changed.
            entry: the answer; one that shows who somebody is stays here.
        """
        left = min(KEPT_SECONDS, entry.deadline - self._clock())
        if entry.personal or left <= 0 or len(entry.body) > MOST_BYTES:
            return
        if len(self._fresh) >= WAITING:
            return
        key = _key(question, version)
        head = _Head(key, entry.tag, entry.holds_until, entry.same_if_tagged)
        value = b"%s\n%s" % (to_json(head), entry.body)
        self._fresh[key] = (value, max(1, int(left * 1000)))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_all(), context=Context())

    async def close(self) -> None:
        """Stop asking and writing."""
        await end([task for task in (self._asking, self._writing) if task is not None])

    async def _ask_all(self) -> None:
        try:
            while self._wanted:
                keys = [*self._wanted][:AT_ONCE]
                asked = {key: self._wanted.pop(key) for key in keys}
                found: Sequence[bytes | None] = [None] * len(keys)
                try:
                    found = await self._ask(keys)
                finally:  # whatever comes of it, those who wait go on without
                    for wanted, value in zip(asked.values(), found, strict=True):
                        if not wanted.done():
                            wanted.set_result(value)
        finally:
            self._asking = None

    async def _ask(self, keys: Sequence[str]) -> Sequence[bytes | None]:
        try:
            with self._circuit.guard():
                async with asyncio.timeout(ANSWER_SECONDS):
                    return cast("list[bytes | None]", await self._redis.mget(keys))
        except (RedisError, OSError, TimeoutError, CircuitOpen):
            self._away.due()
            return [None] * len(keys)

    async def _write_all(self) -> None:
        try:
            while self._fresh:
                keys = [*self._fresh][:AT_ONCE]
                await self._write({key: self._fresh.pop(key) for key in keys})
        finally:
            self._writing = None

    async def _write(self, fresh: dict[str, tuple[bytes, int]]) -> None:
        try:
            with self._circuit.guard():
                async with asyncio.timeout(ANSWER_SECONDS):
                    pipeline = self._redis.pipeline(transaction=False)
                    for key, (value, milliseconds) in fresh.items():
                        pipeline.set(key, value, px=milliseconds)
                    await pipeline.execute()
        except (RedisError, OSError, TimeoutError, CircuitOpen):
            self._away.due()

    def _entry(self, key: str, version: int, value: bytes) -> Entry | None:
        """Read what stands there; Redis may have kept it longer than it was told to."""
        told, _, body = value.partition(b"\n")
        try:
            head = _HEAD.validate_json(told)
        except ValidationError:
            return None
        if head.key != key:
            return None
        deadline = float("inf")
        if head.holds_until is not None:
            known = self._database_clock.deadline(head.holds_until)
            if known is None or known <= self._clock():
                return None
            deadline = known
        return Entry(
            body=body,
            tag=head.tag,
            position=version,
            holds_until=head.holds_until,
            deadline=deadline,
            same_if_tagged=head.same_if_tagged,
        )


def _key(question: Question, version: int) -> str:
    tenant = question.tenant_id
    return f"booking:cache:{FORM}:{{{tenant}}}:{question.kind}:{question.parameters}:{version}"
