"""A circuit opens when the other side fails, and closes when it answers again."""

import asyncio

import pytest

from infra.circuit_breaker import CircuitBreaker, CircuitOpen, State
from tests.clock import Clock


class Lost(Exception):
    """The other side did not answer."""


class Circuit:
    """A breaker that opens after two failures, for ten seconds."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.told: list[tuple[str, State]] = []
        self.breaker = CircuitBreaker(
            "elsewhere",
            failures=2,
            pause_seconds=10,
            clock=self.clock,
            changed=lambda name, state: self.told.append((name, state)),
        )

    def works(self) -> None:
        with self.breaker.guard():
            pass

    def fails(self) -> None:
        with pytest.raises(Lost), self.breaker.guard():
            raise Lost

    def is_not_tried(self) -> None:
        with pytest.raises(CircuitOpen, match="elsewhere"), self.breaker.guard():
            pytest.fail("it was tried")

    def states(self) -> list[State]:
        return [state for _, state in self.told]


@pytest.fixture
def circuit() -> Circuit:
    return Circuit()


def test_after_some_failures_in_a_row_nobody_tries(circuit: Circuit) -> None:
    circuit.fails()
    circuit.works()
    circuit.fails()
    assert circuit.breaker.state == "closed"

    circuit.fails()
    circuit.is_not_tried()
    assert circuit.told == [("elsewhere", "open")]


def test_after_a_pause_it_is_tried_again(circuit: Circuit) -> None:
    circuit.fails()
    circuit.fails()
    circuit.clock.seconds = 9.9
    circuit.is_not_tried()

    circuit.clock.seconds = 10
    circuit.works()

    assert circuit.breaker.state == "closed"
    assert circuit.states() == ["open", "half-open", "closed"]
    circuit.fails()
    circuit.works()


def test_if_that_fails_there_is_another_pause(circuit: Circuit) -> None:
    circuit.fails()
    circuit.fails()
    circuit.clock.seconds = 10
    circuit.fails()

    circuit.clock.seconds = 19.9
    circuit.is_not_tried()
    circuit.clock.seconds = 20
    circuit.works()
    assert circuit.states() == ["open", "half-open", "open", "half-open", "closed"]


def test_one_tries_for_all(circuit: Circuit) -> None:
    circuit.fails()
    circuit.fails()
    circuit.clock.seconds = 10

    with circuit.breaker.guard():
        circuit.is_not_tried()
    circuit.works()


def test_whoever_was_on_the_way_when_it_opened_changes_nothing(circuit: Circuit) -> None:
    with circuit.breaker.guard():
        circuit.fails()
        circuit.fails()

    assert circuit.breaker.state == "open"
    circuit.is_not_tried()


async def test_a_call_that_was_given_up_shows_nothing(circuit: Circuit) -> None:
    async def call() -> None:
        with circuit.breaker.guard():
            await asyncio.Event().wait()

    async def given_up() -> None:
        calling = asyncio.create_task(call())
        await asyncio.sleep(0)
        calling.cancel()
        await asyncio.wait({calling})

    for _ in range(5):
        await given_up()
    assert circuit.breaker.state == "closed"
    circuit.fails()
    circuit.fails()
    circuit.clock.seconds = 10
    await given_up()
    circuit.works()
    assert circuit.states() == ["open", "half-open", "closed"]


def test_failures_leave_nothing_behind(circuit: Circuit) -> None:
    for seconds in range(0, 1000, 10):
        circuit.clock.seconds = seconds
        circuit.fails()
        circuit.clock.seconds = seconds + 5
    assert not circuit.breaker._context.messages
