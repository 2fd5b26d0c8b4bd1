"""Ending tasks that go on until they are cancelled."""

import asyncio

from infra.ending import end


async def test_a_task_that_lost_a_cancellation_is_cancelled_again() -> None:
    begun, lost = asyncio.Event(), 0

    async def loses_the_first() -> None:
        nonlocal lost
        while True:
            begun.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if lost:
                    raise
                lost += 1

    task = asyncio.create_task(loses_the_first())
    await begun.wait()
    await end([task])
    assert lost == 1
    assert task.cancelled()
    await end([])
