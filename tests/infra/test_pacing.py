"""Long work in slices: everybody else goes on between any two of them."""

import asyncio
from time import perf_counter

import pytest

from infra import pacing
from infra.pacing import Pace, Rounds


async def test_one_of_all_that_pause_goes_on_in_each_round_of_the_loop() -> None:
    rounds = Rounds()
    steps: list[tuple[str, int]] = []

    async def work(name: str) -> None:
        for step in range(3):
            await rounds.next()
            steps.append((name, step))

    async with asyncio.TaskGroup() as tasks:
        for name in ("one", "two"):
            tasks.create_task(work(name))
    assert steps == [(name, step) for step in range(3) for name in ("one", "two")]


async def test_others_go_on_between_two_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing, "SLICE_SECONDS", 0.0)
    rounds = Rounds()
    working = True
    heard = 0

    async def hear() -> None:
        nonlocal heard
        while working:
            heard += 1
            await asyncio.sleep(0)

    async def work() -> None:
        nonlocal working
        pace = Pace(rounds)
        for _ in range(50):
            await pace.pause()
        working = False

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(hear())
        for _ in range(2):
            tasks.create_task(work())
    assert heard >= 50


async def test_within_a_slice_nobody_is_waited_for() -> None:
    pace = Pace(Rounds())
    pauses = 0
    began = perf_counter()
    task = asyncio.current_task()
    other = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(other.set_result, None)
    while not other.done():
        await pace.pause()
        pauses += 1
    assert task is asyncio.current_task()
    assert pauses > 1  # only the end of the slice let the other go on
    assert perf_counter() - began >= pacing.SLICE_SECONDS


async def test_whoever_gives_up_its_round_stops_nobody() -> None:
    rounds = Rounds()
    first = asyncio.create_task(rounds.next())
    second = asyncio.create_task(rounds.next())
    third = asyncio.create_task(rounds.next())
    await asyncio.sleep(0)
    first.cancel()
    second.cancel()
    async with asyncio.timeout(5):
        await third
        await rounds.next()
    assert first.cancelled()
    assert second.cancelled()
