"""Turns with one thing: first come, first served, and nobody waits for ever."""

import asyncio
from uuid import UUID

import pytest

from domain.ids import TenantId
from infra.engine import turns
from infra.engine.turns import Turns
from infra.errors import Overloaded

TENANT = TenantId(UUID(int=1))
BOOKING, OTHER = UUID(int=2), UUID(int=3)


async def test_turns_are_taken_in_the_order_of_coming() -> None:
    line = Turns()
    order: list[int] = []

    async def come(number: int) -> None:
        async with line.of(TENANT, [BOOKING]):
            order.append(number)
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as tasks:
        for number in range(5):
            tasks.create_task(come(number))
    assert order == list(range(5))


async def test_those_before_take_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "WAIT_SECONDS", 0.02)
    line = Turns()
    async with line.of(TENANT, [BOOKING]):
        with pytest.raises(Overloaded):
            async with line.of(TENANT, [OTHER, BOOKING]):
                pytest.fail("it is not its turn")
        async with asyncio.timeout(5), line.of(TENANT, [OTHER]):  # given back by who gave up
            await asyncio.sleep(0.05)  # one's own time is not bounded here
    async with asyncio.timeout(5), line.of(TENANT, [BOOKING, OTHER]):
        pass
    assert not line._turns  # what nobody wants is not kept


async def test_what_fails_for_want_of_time_in_a_turn_is_not_taken_for_waiting() -> None:
    with pytest.raises(TimeoutError):
        async with Turns().of(TENANT, [BOOKING]):
            raise TimeoutError
