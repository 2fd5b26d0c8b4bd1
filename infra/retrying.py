"""Tries again what failed in passing: few times, not for long, and never what is left alone.

Only for calls that may be made twice. The circuit stands around each try, not around all of them:
so each counts, and when it opens nobody tries any more. Something that is down is asked as often as
without any of this. The pauses are by chance, from none to the longest ("full jitter"), so that
processes which failed together do not come back together.

https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from tenacity import (
    AsyncRetrying,
    retry_if_exception,
    stop_after_attempt,
    stop_before_delay,
    wait_random_exponential,
)

from infra.circuit_breaker import CircuitBreaker

_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """How often, and for how long.

    Attributes:
        on: what may be passing; all else is not tried again.
        times: tries at most, the first one too.
        pause_seconds: at most before the second, twice as much before the third, and so on.
        within_seconds: from the first try on; none begins later. The last may take as long as one
            does.
    """

    on: type[Exception]
    times: int
    pause_seconds: float
    within_seconds: float


async def retried(
    call: Callable[[], Awaitable[_Answer]], circuit: CircuitBreaker, retries: Retries
) -> _Answer:
    """Makes a call, again if need be.

    Args:
        call: may be made twice, and takes a bounded time.
        circuit: to what it calls.
        retries: how often.

    Raises:
        CircuitOpen: it was not made at all.
        Exception: whatever the last try raised.
    """

    async def once() -> _Answer:
        with circuit.guard():
            return await call()

    def worth_another(error: BaseException) -> bool:
        return isinstance(error, retries.on) and circuit.state == "closed"

    trying = AsyncRetrying(
        retry=retry_if_exception(worth_another),
        stop=stop_after_attempt(retries.times) | stop_before_delay(retries.within_seconds),
        wait=wait_random_exponential(retries.pause_seconds, max=retries.within_seconds),
        reraise=True,
    )
    return await trying(once)
