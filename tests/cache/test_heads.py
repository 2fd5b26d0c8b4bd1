"""What one process commits, the others hear of through Redis."""

import asyncio

import pytest
from redis.asyncio import Redis

from infra.cache import heads
from infra.database import Database
from infra.live import Feed, TenantFeed
from infra.redis_circuit import circuit_to_redis
from tests.cache.conftest import World, world_of
from tests.cache.test_answers import at
from tests.redis_server import RedisServer

SOON = 5.0
"""Seconds; nobody looks at a log by himself for longer than that."""


async def test_a_commit_is_heard_of_and_again_when_redis_is_back(
    database: Database, redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Feed, "_hear", lambda _feed, _payload: None)  # PostgreSQL says nothing
    monkeypatch.setattr(heads, "SHORTEST_PAUSE_SECONDS", 0.02)
    async with world_of(database, redis) as world:
        stage = await world.studio.resource()
        await world.processes[1].get(f"/v1/resources/{stage}")
        [other] = [each.feed for each in world.processes[1].services.feed._followed.values()]
        await heard(world, other, stage, range(2))
        redis.kill()
        await world.studio.booking(stage, **at(2))
        redis.start()
        await heard(world, other, stage, range(3, 12))


async def heard(world: World, other: TenantFeed, stage: str, hours: range) -> None:
    """Book until the other process has heard of it: it may not be listening yet."""
    async with asyncio.timeout(SOON):
        for hour in hours:
            booking = await world.studio.booking(stage, **at(hour))
            position = booking["position"]
            assert isinstance(position, int)
            if await other.reached(position, SOON / len(hours)):
                return
    pytest.fail("nothing was heard")


async def test_what_others_say_of_a_log_is_looked_at_and_not_believed(
    database: Database, redis: RedisServer
) -> None:
    async with world_of(database, redis) as world:
        stage = await world.studio.resource()
        path = f"/v1/resources/{stage}"
        await world.studio.get(path)
        services = world.processes[0].services
        [tenant_id] = services.feed._followed
        caches, circuit = services.answers, circuit_to_redis(services.circuits)
        hearing = heads.Heads(Redis.from_url(redis.url), circuit, services.feed)
        for payload in (b"", b"x", b"x a:b,c", b"\xff \xff", b"x %s:1" % tenant_id.hex.encode()):
            hearing._hear(payload)
        hearing._hear(b"x %s:999999" % tenant_id.hex.encode())
        answer = await world.studio.get(path)
        assert (answer.status_code, answer.headers["event-position"]) == (200, "1")
        assert caches._local.entries == 1
        assert world.processes[0].looks("resource", "memory", "hit") == 1
