"""What failed in passing is tried again, and what is down is asked no more often for that."""

import pytest

from infra.circuit_breaker import CircuitBreaker, CircuitOpen
from infra.circuits import Circuits
from infra.retrying import Retries, retried
from tests.clock import Clock

RETRIES = Retries(on=ConnectionError, times=3, pause_seconds=0.001, within_seconds=60)
FAILURES, PAUSE_SECONDS = 5, 10


class Elsewhere:
    """Fails as often as it is told, and counts who asks."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.circuit: CircuitBreaker = Circuits(clock=self.clock).breaker(
            "elsewhere", failures=FAILURES, pause_seconds=PAUSE_SECONDS
        )
        self.failures: list[Exception] = []
        self.asked = 0

    async def answer(self) -> str:
        self.asked += 1
        if self.failures:
            raise self.failures.pop(0)
        return "well"

    async def is_asked(self, retries: Retries = RETRIES) -> str:
        return await retried(self.answer, self.circuit, retries)


@pytest.fixture
def elsewhere() -> Elsewhere:
    return Elsewhere()


async def test_what_fails_in_passing_is_tried_again(elsewhere: Elsewhere) -> None:
    elsewhere.failures = [ConnectionError("1"), ConnectionError("2")]
    assert await elsewhere.is_asked() == "well"
    assert elsewhere.asked == 3


async def test_the_last_try_says_why(elsewhere: Elsewhere) -> None:
    elsewhere.failures = [ConnectionError(str(number)) for number in range(1, 9)]
    with pytest.raises(ConnectionError, match="3"):
        await elsewhere.is_asked()
    assert elsewhere.asked == 3


async def test_what_would_fail_again_is_not_tried_again(elsewhere: Elsewhere) -> None:
    elsewhere.failures = [ValueError("no key set")]
    with pytest.raises(ValueError, match="no key set"):
        await elsewhere.is_asked()
    assert elsewhere.asked == 1


async def test_no_try_begins_when_its_time_is_up(elsewhere: Elsewhere) -> None:
    elsewhere.failures = [ConnectionError("1")]
    with pytest.raises(ConnectionError, match="1"):
        await elsewhere.is_asked(
            Retries(on=ConnectionError, times=3, pause_seconds=0.001, within_seconds=0)
        )
    assert elsewhere.asked == 1


async def test_what_is_down_is_asked_as_often_as_without_retries(elsewhere: Elsewhere) -> None:
    elsewhere.failures = [ConnectionError("down")] * 100
    for _ in range(20):
        with pytest.raises((ConnectionError, CircuitOpen)):
            await elsewhere.is_asked()
    assert elsewhere.asked == FAILURES

    elsewhere.clock.seconds = PAUSE_SECONDS
    with pytest.raises(ConnectionError):  # the one that tries says why it failed
        await elsewhere.is_asked()
    assert elsewhere.asked == FAILURES + 1
