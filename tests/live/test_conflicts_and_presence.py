"""Conflicts and presence: told to whom they concern, across processes by Redis, and without it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, date, datetime
from uuid import uuid4

import pytest
import pytest_asyncio
from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from structlog.testing import capture_logs

from api.guards import Guards
from domain.ids import ResourceId, TenantId
from infra.circuits import Circuits
from infra.database import Database
from infra.live.presence import Place, Presence
from infra.live.presence_in_redis import SharedPlanners
from infra.redis_circuit import circuit_to_redis
from tests.live.client import Json, LiveClient, connected
from tests.live.serving import IN_THE_LOOP_OF_THE_MODULE, LiveStudio, Served, served
from tests.redis_server import RedisServer

pytestmark = IN_THE_LOOP_OF_THE_MODULE

DAY = "2027-03-01"


@pytest.fixture(scope="module", autouse=True)
def soon_confirmed_and_retried() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("api.live.meeting.CONFIRM_SECONDS", 0.1)
        patch.setattr("api.live.relay.AGAIN_SECONDS", 0.05)
        patch.setattr("infra.redis_circuit.REST_SECONDS", 0.2)
        yield


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def both(
    live_database: Database, redis_server: RedisServer
) -> AsyncIterator[tuple[Served, Served]]:
    """Two servers, as two processes have it: what they share is the database and Redis."""
    guards = Guards(redis_url=redis_server.url)
    async with served(live_database, guards) as one, served(live_database, guards) as two:
        yield one, two


def actors(body: Json) -> set[str]:
    return {planner["actor"] for planner in body["planners"]}


async def _actor(client: LiveClient, stage: str) -> str:
    """Whom a client speaks for, as presence names them."""
    answer = await client.ask("presence.enter", {"resource_id": stage, "day": "2030-01-01"})
    await client.ask("presence.leave", {"resource_id": stage, "day": "2030-01-01"})
    (actor,) = actors(answer)
    return actor


async def _told_of_conflict(studio: LiveStudio, holder: Served, refuser: Served) -> None:
    stage = await studio.resource()
    async with (
        connected(holder.address, studio.keys["admin"]) as who_booked,
        connected(holder.address, studio.keys["viewer"]) as who_watches,
        connected(holder.address, studio.keys["auditor"]) as who_does_not,
        connected(refuser.address, studio.keys["booker"], "polling") as who_is_refused,
    ):
        booked = await studio.book(stage, at=5)
        await who_watches.follow(booking_id=booked["id"])
        await who_does_not.follow(resource_id=stage)
        refused_by = await _actor(who_is_refused, stage)
        async with studio.other_client(refuser.address, "booker") as wants_it:
            answer = await studio.try_to_book(stage, at=5, client=wants_it)
        assert answer.status_code == 409
        for client in (who_booked, who_watches):
            await client.until(lambda client=client: client.bodies("conflict"))  # type: ignore[misc]  # mypy infers no lambda with a default
            (body,) = client.bodies("conflict")
            refused = body.pop("refused")
            assert datetime.fromisoformat(refused.pop("time")) <= datetime.now(UTC)
            assert refused == {"actor": refused_by, "problem": "booking-conflict"}
            assert body == {
                "resource_id": stage,
                "start_time": booked["start_time"],
                "end_time": booked["end_time"],
                "conflicts": answer.json()["conflicts"],
            }
        assert not who_does_not.bodies("conflict")
        assert not who_is_refused.bodies("conflict")


async def test_who_holds_a_slot_is_told_who_was_refused(
    serving: Served, planners: LiveStudio
) -> None:
    await _told_of_conflict(planners, serving, serving)


async def test_who_holds_a_slot_is_told_across_processes(both: tuple[Served, Served]) -> None:
    async with both[0].studio() as studio:
        await _told_of_conflict(studio, *both)


async def _meet(studio: LiveStudio, here: Served, there: Served) -> None:
    stage = await studio.resource()
    place = {"resource_id": stage, "day": DAY}
    async with connected(here.address, studio.keys["viewer"]) as one:
        first = await one.ask("presence.enter", place)
        assert first["ok"]
        (ann,) = actors(first)
        async with connected(there.address, studio.keys["booker"]) as two:
            second = await two.ask("presence.enter", place)
            assert len(actors(second)) == 2
            since = [planner["since"] for planner in second["planners"]]
            assert since == sorted(since)
            await one.until(lambda: one.bodies("presence"))
            assert one.bodies("presence")[-1] == {**place, "planners": second["planners"]}
            assert (await two.ask("presence.leave", place))["planners"] == first["planners"]
            await one.until(lambda: actors(one.bodies("presence")[-1]) == {ann})
            await two.ask("presence.enter", place)
            await one.until(lambda: len(actors(one.bodies("presence")[-1])) == 2)
        # Whoever is disconnected has left.
        await one.until(lambda: actors(one.bodies("presence")[-1]) == {ann})


async def test_planners_at_the_same_day_see_each_other(
    serving: Served, planners: LiveStudio
) -> None:
    await _meet(planners, serving, serving)


async def test_planners_see_each_other_across_processes(both: tuple[Served, Served]) -> None:
    async with both[0].studio() as studio:
        await _meet(studio, *both)


async def test_one_planner_in_two_windows_leaves_with_the_last(
    serving: Served, planners: LiveStudio
) -> None:
    stage = await planners.resource()
    place = {"resource_id": stage, "day": DAY}
    async with connected(serving.address, planners.keys["admin"]) as other:
        await other.ask("presence.enter", place)
        async with connected(serving.address, planners.keys["viewer"]) as one:
            await one.ask("presence.enter", place)
            async with connected(serving.address, planners.keys["viewer"]) as again:
                assert len(actors(await again.ask("presence.enter", place))) == 2
            await other.ask("presence.enter", place)
            assert len(actors(await other.ask("presence.enter", place))) == 2
        await other.until(lambda: len(actors(other.bodies("presence")[-1])) == 1)


async def test_absent_resources_have_no_planners(
    serving: Served, planners: LiveStudio, others: LiveStudio
) -> None:
    theirs = await others.resource()
    async with connected(serving.address, planners.keys["viewer"]) as client:
        for resource_id in (theirs, str(uuid4())):
            place = {"resource_id": resource_id, "day": DAY}
            answer = await client.ask("presence.enter", place)
            assert answer["problem"]["type"] == "/problems/not-found"
            assert (await client.ask("presence.leave", place))["planners"] == []


async def test_what_a_dead_process_leaves_behind_expires(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.live.presence_in_redis.KEPT_SECONDS", 0.3)
    place = Place(TenantId(uuid4()), ResourceId(uuid4()), date(2027, 3, 1))
    async with AsyncRedis.from_url(redis.url) as client:
        circuit = circuit_to_redis(Circuits())
        dead = Presence(SharedPlanners(client, circuit, "dead"))
        alive = Presence(SharedPlanners(client, circuit, "alive"))
        await dead.enter(place, "key:1", datetime.now(UTC))
        assert len(await alive.enter(place, "key:2", datetime.now(UTC))) == 2
        assert await alive.refresh() == []
        changed: list[str] = []
        async with asyncio.timeout(5):
            while not changed:  # the process confirms its own, every few seconds
                await asyncio.sleep(0.05)
                changed = [p.actor for _, there in await alive.refresh() for p in there]
        assert changed == ["key:2"]
        await alive.leave_all()
        assert await client.keys("*") == []


async def test_redis_holds_the_tenant_and_no_name(both: tuple[Served, Served]) -> None:
    serving = both[0]
    async with serving.studio() as studio:
        stage = await studio.resource("A secret stage")
        async with connected(serving.address, studio.keys["viewer"]) as client:
            await client.ask("presence.enter", {"resource_id": stage, "day": DAY})
            with Redis.from_url(serving.redis_url) as redis:
                keys = [key.decode() for key in redis.keys("booking:presence:*")]
                assert [key for key in keys if str(studio.tenant_id) in key]
                held = str([redis.zrange(key, 0, -1) for key in keys])
            assert "secret" not in held
            assert "bk_" not in held


async def test_bookings_go_on_without_redis_and_presence_and_conflicts_come_back(
    both: tuple[Served, Served], redis_server: RedisServer
) -> None:
    here, there = both
    async with (
        here.studio() as studio,
        connected(here.address, studio.keys["viewer"]) as one,
        connected(there.address, studio.keys["booker"]) as two,
    ):
        stage = await studio.resource()
        place = {"resource_id": stage, "day": DAY}
        room = await two.follow(resource_id=stage)
        await one.ask("presence.enter", place)
        with capture_logs() as lines:
            redis_server.kill()
            try:
                for _ in range(5):
                    last = (await studio.book(stage))["position"]
                    await two.reaches(room, last)
                    alone = await two.ask("presence.enter", place)
                    assert len(actors(alone)) == 1  # of its own process
                    await two.ask("presence.leave", place)
                await asyncio.sleep(0.3)
            finally:
                redis_server.start()
        assert len(lines) < 100
        told = [line for line in lines if line["event"].startswith(("live.", "circuits."))]
        assert {"live.redis_not_heard", "live.redis_away", "circuits.changed"} <= {
            line["event"] for line in told
        }
        assert len(told) < 20

        await _meet_again(two, place)
        await one.until(
            lambda: one.bodies("presence") and len(actors(one.bodies("presence")[-1])) == 2
        )
        assert room.lost == 0
        await _told_again(studio, here, there)


async def _meet_again(client: LiveClient, place: Json) -> None:
    async with asyncio.timeout(10):
        while True:
            if len(actors(await client.ask("presence.enter", place))) == 2:
                return
            await asyncio.sleep(0.1)


async def _told_again(studio: LiveStudio, here: Served, there: Served) -> None:
    """A conflict is told to the other process as soon as that listens again."""
    stage = await studio.resource()
    booked = await studio.book(stage, at=5)
    async with (
        connected(there.address, studio.keys["auditor"]) as watching,
        studio.other_client(here.address, "booker") as wants_it,
        asyncio.timeout(10),
    ):
        await watching.follow(booking_id=booked["id"])
        while not watching.bodies("conflict"):
            assert (await studio.try_to_book(stage, at=5, client=wants_it)).status_code == 409
            await asyncio.sleep(0.1)
