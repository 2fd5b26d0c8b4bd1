"""Places for large requests: tenants in turn, bounded lines, and no place is ever lost."""

import asyncio
from collections import deque
from contextlib import ExitStack
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.admission import TurnedAway
from api.large_requests import LARGE_BYTES, LargeRequests
from domain.ids import TenantId

TENANTS = [TenantId(UUID(int=number)) for number in range(3)]
NOISY, QUIET, OTHER = TENANTS


class Crowd:
    """Requests that stay in their place until told to leave."""

    def __init__(self, large: LargeRequests) -> None:
        self.large = large
        self.inside: deque[tuple[TenantId, asyncio.Future[None]]] = deque()
        self.tasks: list[asyncio.Task[None]] = []

    async def come(self, tenant_id: TenantId) -> "asyncio.Task[None]":
        async def stay() -> None:
            leave = asyncio.get_running_loop().create_future()
            async with self.large.place(tenant_id):
                self.inside.append((tenant_id, leave))
                try:
                    await leave
                finally:
                    self.inside.remove((tenant_id, leave))

        self.tasks.append(asyncio.create_task(stay()))
        await settled()
        return self.tasks[-1]

    async def leave(self) -> TenantId:
        tenant_id, leave = self.inside[0]
        leave.set_result(None)
        await settled()
        return tenant_id


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_tenants_take_turns_whoever_came_first() -> None:
    crowd = Crowd(LargeRequests(places=1))
    for tenant_id in (NOISY, NOISY, NOISY, NOISY, QUIET, OTHER, QUIET):
        await crowd.come(tenant_id)
    order = [await crowd.leave() for _ in range(7)]
    assert order == [NOISY, NOISY, QUIET, OTHER, NOISY, QUIET, NOISY]
    assert crowd.large._free == 1


async def test_a_tenant_has_one_place_and_leaves_the_others_to_others() -> None:
    crowd = Crowd(LargeRequests(places=2))
    for tenant_id in (NOISY, NOISY, NOISY):
        await crowd.come(tenant_id)
    assert [tenant_id for tenant_id, _ in crowd.inside] == [NOISY]
    await crowd.come(QUIET)
    await crowd.come(OTHER)
    assert [tenant_id for tenant_id, _ in crowd.inside] == [NOISY, QUIET]
    order = [await crowd.leave() for _ in range(5)]
    assert order == [NOISY, QUIET, NOISY, OTHER, NOISY]
    assert crowd.large._free == 2


async def test_lines_are_bounded_for_one_and_for_all() -> None:
    crowd = Crowd(LargeRequests(places=1, waiting=4))
    for _ in range(4):
        await crowd.come(NOISY)
    with pytest.raises(TurnedAway):
        await (await crowd.come(NOISY))  # three quarters wait already
    await crowd.come(QUIET)
    with pytest.raises(TurnedAway):
        await (await crowd.come(OTHER))
    await crowd.leave()
    waiting = await crowd.come(OTHER)
    assert not waiting.done()
    while crowd.inside:
        await crowd.leave()
    await waiting


async def test_who_waits_too_long_is_turned_away_and_makes_room_in_the_line() -> None:
    large = LargeRequests(places=1, waiting=4, wait_seconds=0.01)
    async with large.place(NOISY):
        for _ in range(2):
            late = [asyncio.create_task(large.place(NOISY).__aenter__()) for _ in range(3)]
            for error in await asyncio.gather(*late, return_exceptions=True):
                assert isinstance(error, TurnedAway)
        assert large._waiting == 0
        assert not large._lines
    assert large._free == 1


async def test_a_place_given_and_given_up_at_the_same_moment_goes_to_the_next() -> None:
    crowd = Crowd(LargeRequests(places=1))
    await crowd.come(NOISY)
    leaving, next_ = await crowd.come(NOISY), await crowd.come(QUIET)
    place = next(iter(crowd.large._lines[NOISY]))
    crowd.large._pass_on(NOISY)  # as if the one inside had left
    assert place.done()
    leaving.cancel()
    await settled()
    assert leaving.cancelled()
    assert [tenant_id for tenant_id, _ in crowd.inside] == [NOISY, QUIET]
    assert not next_.done()


async def test_a_place_is_not_given_to_one_who_is_just_giving_up() -> None:
    crowd = Crowd(LargeRequests(places=1))
    await crowd.come(NOISY)
    leaving = await crowd.come(QUIET)
    crowd.inside[0][1].set_result(None)  # hears of it first
    leaving.cancel()
    await settled()
    assert crowd.large._free == 1
    assert leaving.cancelled()


STEPS = st.tuples(st.sampled_from(["come", "come", "leave", "cancel"]), st.integers(0, 5))


@given(st.lists(STEPS, max_size=30))
def test_no_place_is_lost_whoever_comes_leaves_or_gives_up(steps: list[tuple[str, int]]) -> None:
    async def run() -> None:
        crowd = Crowd(LargeRequests(places=2, waiting=4))
        for step, number in steps:
            if step == "come":
                await crowd.come(TENANTS[number % 3])
            elif step == "leave" and crowd.inside:
                _, leave = crowd.inside[number % len(crowd.inside)]
                if not leave.done():
                    leave.set_result(None)  # the next step may come before anybody has noticed
            elif step == "cancel" and crowd.tasks:
                crowd.tasks[number % len(crowd.tasks)].cancel()
            inside = [tenant_id for tenant_id, _ in crowd.inside]
            assert len(inside) == len(set(inside)) <= 2
        await settled()
        while crowd.inside:
            await crowd.leave()
        await asyncio.gather(*crowd.tasks, return_exceptions=True)
        assert crowd.large._free == 2
        assert crowd.large._waiting == 0
        assert not crowd.large._lines
        assert not crowd.large._inside

    asyncio.run(run())


def test_large_bodies_have_a_bound_and_small_ones_always_room() -> None:
    large = LargeRequests(body_bytes=100_000)
    with ExitStack() as held:
        noisy = held.enter_context(large.body(NOISY))
        noisy(LARGE_BYTES)
        noisy(70_000)
        noisy(75_000)
        with pytest.raises(TurnedAway):
            noisy(75_001)
        held.enter_context(large.body(NOISY))(LARGE_BYTES)
        quiet = held.enter_context(large.body(QUIET))
        quiet(25_000)
        with pytest.raises(TurnedAway):
            quiet(25_001)
        held.enter_context(large.body(OTHER))(LARGE_BYTES)
    assert not large._bytes
