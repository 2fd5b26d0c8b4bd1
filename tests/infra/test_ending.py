"""Works that go on until they are cancelled, and their end."""

import asyncio

import pytest

from infra.ending import end, run_together


class Stubborn:
    """Work to which some cancellations are lost."""

    def __init__(self, losses: int) -> None:
        self.begun = asyncio.Event()
        self.losses = losses
        self.lost = 0
        self.ended = False

    async def work(self) -> None:
        try:
            while True:
                self.begun.set()
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    if self.lost == self.losses:
                        raise
                    self.lost += 1
        finally:
            self.ended = True


async def test_a_task_that_lost_a_cancellation_is_cancelled_again() -> None:
    stubborn = Stubborn(losses=1)
    task = asyncio.create_task(stubborn.work())
    await stubborn.begun.wait()
    await end([task], again_seconds=0.01)
    assert stubborn.lost == 1
    assert task.cancelled()
    await end([])


async def test_whoever_is_cancelled_while_it_ends_others_ends_them_first() -> None:
    stubborn = Stubborn(losses=3)
    task = asyncio.create_task(stubborn.work())
    await stubborn.begun.wait()
    ending = asyncio.create_task(end([task], again_seconds=3600))
    while not ending.done():
        await asyncio.sleep(0)
        ending.cancel()
    assert ending.cancelled()
    assert stubborn.lost == 3
    assert task.cancelled()


async def test_works_that_run_together_end_together_also_where_a_cancellation_is_lost() -> None:
    works = Stubborn(losses=1), Stubborn(losses=2)
    running = asyncio.create_task(run_together(*(each.work() for each in works)))
    for each in works:
        await each.begun.wait()
    await end([running], again_seconds=0.01)
    assert [each.ended for each in works] == [True, True]
    assert running.cancelled()


async def test_the_first_that_fails_ends_the_others_and_is_told_of() -> None:
    stubborn = Stubborn(losses=1)

    async def fails() -> None:
        await stubborn.begun.wait()
        raise LookupError("nothing there")

    with pytest.raises(ExceptionGroup) as caught:
        await run_together(stubborn.work(), fails())
    assert [type(failure) for failure in caught.value.exceptions] == [LookupError]
    assert stubborn.ended


async def test_works_that_are_done_are_not_waited_for_longer() -> None:
    done = []

    async def work() -> None:
        done.append(1)

    await run_together(work(), work())
    assert done == [1, 1]
