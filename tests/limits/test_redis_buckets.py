"""Token buckets in a real Redis: shared, exact under races, and never in anybody's way."""

import asyncio
import multiprocessing
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Barrier
from typing import cast
from uuid import UUID

import pytest
from redis import Redis
from structlog.testing import capture_logs

from domain.ids import TenantId
from infra import redis_circuit
from infra.circuits import Circuits
from infra.limits import Allowance, Limiter, Limits, LimitsOfTenants, redis_buckets
from infra.limits.allowance import limits_of
from infra.limits.redis_buckets import RedisAway, RedisBuckets, buckets_in_redis, names_of
from tests.redis_server import RedisServer

STUDIO = TenantId(UUID(int=7))
SLOW = limits_of(Allowance(0.01, 3), Allowance(0.01, 2))
PROCESSES, ASKING_SECONDS = 3, 1.0
SHARED = limits_of(Allowance(40, 30), Allowance(0))


@pytest.fixture
async def buckets(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[RedisBuckets]:
    """Have them count, however slow the machine: how long is waited other tests tell."""
    monkeypatch.setattr(redis_buckets, "ANSWER_SECONDS", 30.0)
    async with buckets_in_redis(redis.url, Circuits()) as opened:
        assert opened is not None
        yield opened


@pytest.fixture
def breakable(redis: RedisServer) -> Iterator[RedisServer]:
    yield redis
    redis.kill()
    redis.start()


async def test_a_burst_is_let_in_from_both_or_none(buckets: RedisBuckets) -> None:
    one, two = names_of(SLOW, STUDIO, "key:1"), names_of(SLOW, STUDIO, "key:2")
    assert [(await buckets.take(SLOW, one)).wait for _ in range(2)] == [0.0, 0.0]
    for _ in range(5):
        assert (await buckets.take(SLOW, one)).wait == pytest.approx(100, abs=1)
    assert (await buckets.take(SLOW, two)).wait == 0.0
    refused = await buckets.take(SLOW, two)
    assert refused.wait == pytest.approx(100, abs=1)
    assert refused.seconds_to_full == pytest.approx([300, 100], abs=1)


async def test_what_is_charged_is_owed_and_bounded(buckets: RedisBuckets) -> None:
    whose = names_of(SLOW, STUDIO, "key:1")
    await buckets.charge(SLOW, whose, 1)
    assert (await buckets.take(SLOW, whose)).wait == 0.0
    for _ in range(3):
        await buckets.charge(SLOW, whose, 499)
    assert (await buckets.take(SLOW, whose)).wait == pytest.approx(50_100, abs=5)


async def test_the_keys_name_tenant_and_version_and_go_by_themselves(
    redis: RedisServer, buckets: RedisBuckets
) -> None:
    limits = limits_of(Allowance(50, 5), Allowance(0.5, 5))
    await buckets.take(limits, names_of(limits, STUDIO, "key:1"))
    with Redis.from_url(redis.url, decode_responses=True) as client:
        left = {name: client.pttl(name) for name in client.keys()}  # noqa: SIM118 - no dictionary
    of_studio = f"booking:limits:1:{{{STUDIO}}}"
    assert set(left) == {f"{of_studio}:tenant", f"{of_studio}:key:1"}
    assert 0 <= left[f"{of_studio}:tenant"] <= 21
    assert 1000 < left[f"{of_studio}:key:1"] <= 2001


async def test_no_more_than_burst_and_rate_are_let_in_by_many_tasks(buckets: RedisBuckets) -> None:
    whose = names_of(SHARED, STUDIO, "key:1")
    began = time.monotonic()
    taken = await asyncio.gather(*(buckets.take(SHARED, whose) for _ in range(200)))
    let_in = sum(not each.wait for each in taken)
    assert 30 <= let_in <= 30 + 40 * (time.monotonic() - began)


def ask_on_and_on(url: str, barrier: Barrier, answers: "multiprocessing.Queue[int]") -> None:
    """One process of several that use up the same bucket."""

    async def run() -> int:
        async with buckets_in_redis(url, Circuits()) as buckets:
            assert buckets is not None
            whose = names_of(SHARED, STUDIO, "key:1")
            barrier.wait(30)
            until = time.monotonic() + ASKING_SECONDS
            let_in = 0
            while time.monotonic() < until:
                let_in += not (await buckets.take(SHARED, whose)).wait
            return let_in

    answers.put(asyncio.run(run()))


def test_no_more_than_burst_and_rate_are_let_in_by_several_processes(redis: RedisServer) -> None:
    context = multiprocessing.get_context("spawn")
    barrier, answers = context.Barrier(PROCESSES + 1), context.Queue()
    processes = [
        context.Process(target=ask_on_and_on, args=(redis.url, barrier, answers))
        for _ in range(PROCESSES)
    ]
    for process in processes:
        process.start()
    barrier.wait(30)
    began = time.monotonic()
    let_in = [answers.get(timeout=30) for _ in processes]
    seconds = time.monotonic() - began
    for process in processes:
        process.join()
    assert all(let_in)
    # All that came in was used, and nothing else was let in.
    assert 30 + 40 * ASKING_SECONDS * 0.8 <= sum(let_in) <= 30 + 40 * seconds + 1


class Fixed:
    """Says the same of every tenant."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    def known(self, _tenant_id: TenantId) -> Limits:
        return self._limits


async def wait_of(limiter: Limiter, actor: str) -> float:
    taken = await limiter.admit(STUDIO, actor)
    assert taken is not None
    return taken.wait


@contextmanager
def timed(at_most: float) -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < at_most


async def test_while_redis_is_down_each_process_counts_for_itself_and_then_all_together_again(
    breakable: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_circuit, "REST_SECONDS", 0.2)
    circuits = Circuits()
    async with buckets_in_redis(breakable.url, circuits) as shared:
        limiter = Limiter(cast("LimitsOfTenants", Fixed(SLOW)), time.monotonic, shared)
        waits = [await wait_of(limiter, "key:1") for _ in range(3)]
        assert [bool(wait) for wait in waits] == [False, False, True]
        breakable.kill()
        with capture_logs() as log, timed(2.0):
            waits = [await wait_of(limiter, "key:1") for _ in range(50)]
        assert [bool(wait) for wait in waits] == [False] * 2 + [True] * 48
        assert [line["event"] for line in log] == ["limits.redis_away", "circuits.changed"]
        assert circuits.states() == {"Redis": "open"}
        breakable.start()
        await asyncio.sleep(0.25)  # the rest that Redis is given
        assert not await wait_of(limiter, "key:2")
        assert circuits.states() == {"Redis": "closed"}
        with Redis.from_url(breakable.url, decode_responses=True) as client:
            assert f"booking:limits:1:{{{STUDIO}}}:key:2" in client.keys()  # noqa: SIM118


async def test_a_redis_that_does_not_answer_costs_a_moment_and_only_one_tries_again(
    breakable: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_circuit, "REST_SECONDS", 0.3)
    async with buckets_in_redis(breakable.url, Circuits()) as shared:
        assert shared is not None
        whose = names_of(SLOW, STUDIO, "key:1")
        await shared.take(SLOW, whose)
        breakable.freeze()
        try:
            with timed(2.0):
                asked = [shared.take(SLOW, whose) for _ in range(20)]
                answers = await asyncio.gather(*asked, return_exceptions=True)
            assert all(isinstance(answer, RedisAway) for answer in answers)
            with timed(0.1), pytest.raises(RedisAway):
                await shared.take(SLOW, whose)
            await asyncio.sleep(0.31)  # the rest
            tries = asyncio.create_task(shared.take(SLOW, whose))
            await asyncio.sleep(0)
            with timed(0.1):
                for _ in range(20):
                    with pytest.raises(RedisAway):
                        await shared.take(SLOW, whose)
            with pytest.raises(RedisAway):
                await tries
        finally:
            breakable.thaw()


async def test_a_redis_that_is_no_longer_the_same_learns_the_script_again(
    breakable: RedisServer, buckets: RedisBuckets
) -> None:
    whose = names_of(SLOW, STUDIO, "key:1")
    await buckets.take(SLOW, whose)
    with Redis.from_url(breakable.url) as client:
        client.script_flush()
    assert (await buckets.take(SLOW, whose)).wait == 0.0
