"""What passes between processes: conflicts and presence, through Redis; no booking goes this way.

The library has a manager for Redis, too. It tries each publication twice and logs each failure,
waits up to a minute before it listens again, and does whatever a message says, to any room and any
session. Here Redis is left alone while it does not answer, and nothing but telling a room is done.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping

import structlog
from pydantic_core import from_json, to_json
from redis.asyncio import Redis
from redis.exceptions import RedisError
from socketio.async_pubsub_manager import (  # type: ignore[import-untyped]  # it has no types
    AsyncPubSubManager,
)

from infra.circuit_breaker import CircuitBreaker, CircuitOpen
from infra.telemetry.refrain import Refrain

log = structlog.get_logger("api.live")

CHANNEL = "booking:live:1"
ANSWER_SECONDS = 0.25
AGAIN_SECONDS = 1.0


class RedisRelay(AsyncPubSubManager):  # type: ignore[misc]  # it has no types
    """The library's way to other processes."""

    def __init__(self, redis: Redis, circuit: CircuitBreaker) -> None:
        """Connect to nothing yet.

        Args:
            redis: through which; its connections may wait for ever to read.
            circuit: around Redis.
        """
        super().__init__(channel=CHANNEL)
        self.thread: asyncio.Task[None] | None = None  # the library's name of what listens
        self._redis = redis
        self._circuit = circuit
        self._untold = Refrain(lambda times: log.warning("live.redis_away", untold=times))
        self._deaf = Refrain(lambda times: log.warning("live.redis_not_heard", times=times))

    async def stop(self) -> None:
        """Listens no more."""
        while self.thread is not None and not self.thread.done():
            self.thread.cancel()  # again, where it was lost in what it waited for
            await asyncio.wait({self.thread}, timeout=AGAIN_SECONDS)

    async def _publish(self, data: Mapping[str, object]) -> None:
        """Tells the other processes; while Redis is away, they are not told."""
        try:
            with self._circuit.guard():
                async with asyncio.timeout(ANSWER_SECONDS):
                    await self._redis.publish(CHANNEL, to_json(data))
        except (RedisError, OSError, TimeoutError, CircuitOpen):
            self._untold.due()

    async def _listen(self) -> AsyncIterator[Mapping[str, object]]:
        """Gives what other processes tell; what they tell while Redis is away is missed."""
        while True:
            try:
                async with self._redis.pubsub(ignore_subscribe_messages=True) as subscribed:
                    await subscribed.subscribe(CHANNEL)
                    async for message in subscribed.listen():
                        if (told := _told(message["data"])) is not None:
                            yield told
            except (RedisError, OSError):
                self._deaf.due()
            await asyncio.sleep(AGAIN_SECONDS)


def _told(data: bytes) -> Mapping[str, object] | None:
    try:
        told = from_json(data)
    except ValueError:  # whoever may publish there is trusted, but need not be one of us
        return None
    return told if isinstance(told, dict) and told.get("method") == "emit" else None
