"""What is kept is what the database would have answered, and nobody else's."""

import asyncio
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import cast

import psycopg
import pytest
from httpx import Response
from redis import Redis

from infra.access import ROLES, create_api_key, create_tenant
from infra.cache import answers, shared
from infra.database import Database
from infra.live import TenantFeed
from tests.api.conftest import Json, Studio, assert_problem, new_booking
from tests.cache.conftest import WINDOW, Process, World

ADA: Json = {"id": "canary-71", "name": "Canary Lovelace", "email": "canary@ada.example"}
KEPT = {"cache-control": "private, no-cache", "vary": "Authorization"}
OF_EACH = ("x-request-id", "event-position")


def paths(stage: str, booking: Json) -> dict[str, str]:
    return {
        "calendar": f"/v1/resources/{stage}/calendar?{WINDOW}",
        "availability": f"/v1/availability?resource_id={stage}&{WINDOW}",
        "resource": f"/v1/resources/{stage}",
        "booking": f"/v1/bookings/{booking['id']}",
    }


def at(hour: int) -> dict[str, str]:
    return {
        "start_time": f"2027-03-02T{hour:02}:00:00Z",
        "end_time": f"2027-03-02T{hour:02}:30:00Z",
    }


def same(one: Response, other: Response) -> bool:
    assert one.status_code == other.status_code == 200, (one.text, other.text)
    heads = [
        {name: value for name, value in answer.headers.items() if name not in OF_EACH}
        for answer in (one, other)
    ]
    return one.content == other.content and heads[0] == heads[1]


async def test_a_hit_in_either_layer_is_the_answer_of_the_database(world: World) -> None:
    stage = await world.studio.resource()
    booking = await world.studio.booking(stage, status="held")
    one, other = world.processes
    position = str(booking["position"])
    for kind, path in paths(stage, booking).items():
        plain = await world.plain.get(path, Min_Event_Position=position)
        for process in (one, one, other, other, world.forgetful, world.forgetful):
            answer = await process.get(path, Min_Event_Position=position)
            assert same(plain, answer), (kind, answer.headers, plain.headers)
            assert answer.headers["event-position"] == position
            await put_into_redis(process)
        assert KEPT.items() <= dict(plain.headers).items()
        assert one.looks(kind, "memory", "hit") == 1
        assert one.looks(kind, "redis", "miss") == 1
        assert other.looks(kind, "redis", "hit") == 1
        assert other.looks(kind, "memory", "hit") == 1
        assert world.forgetful.looks(kind, "redis", "hit") == 2


async def put_into_redis(process: Process) -> None:
    """Wait until what is on its way to Redis is there."""
    caches = process.services.answers
    while tasks := {*caches._sharing, caches._shared and caches._shared._writing} - {None}:
        await asyncio.wait(cast("set[asyncio.Task[None]]", tasks))


async def test_who_has_an_answer_is_told_so_with_its_position(world: World) -> None:
    stage = await world.studio.resource()
    booking = await world.studio.booking(stage)
    for path in paths(stage, booking).values():
        for process in (*world.processes, world.plain):
            whole = await process.get(path, Min_Event_Position=str(booking["position"]))
            tag = whole.headers["etag"]
            for given in (tag, f'"other", W/{tag}', "*"):
                known = await process.get(path, If_None_Match=given)
                assert (known.status_code, known.content) == (304, b"")
                assert known.headers["event-position"] == str(booking["position"])
                assert known.headers["etag"] == tag
                assert KEPT.items() <= dict(known.headers).items()
            assert (await process.get(path, If_None_Match='"other"')).status_code == 200
    await world.studio.post(f"/v1/bookings/{booking['id']}/cancel", {})
    calendar = await world.processes[0].get(paths(stage, booking)["calendar"], If_None_Match=tag)
    assert (calendar.status_code, calendar.json()["items"]) == (200, [])


async def test_many_that_miss_the_same_are_one_question_to_the_database(world: World) -> None:
    stage = await world.studio.resource()
    process = world.processes[1]
    path = f"/v1/resources/{stage}/calendar?{WINDOW}"
    found = await asyncio.gather(*(process.get(path) for _ in range(20)))
    assert len({answer.content for answer in found}) == 1
    assert process.looks("calendar", "redis", "miss") == 1


async def test_a_write_in_one_process_is_read_with_its_position_in_any(world: World) -> None:
    stage = await world.studio.resource()
    path = f"/v1/resources/{stage}/calendar?{WINDOW}"
    for hour in range(8):
        writer, reader = world.processes[hour % 2], world.processes[1 - hour % 2]
        booking = await writer.studio.booking(stage, **at(hour))
        answer = await reader.get(path, Min_Event_Position=str(booking["position"]))
        assert len(answer.json()["items"]) == hour + 1


async def test_who_hears_nothing_answers_at_the_position_and_is_a_second_old_at_most(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = await world.studio.resource()
    path = f"/v1/resources/{stage}/calendar?{WINDOW}"
    writer, deaf = world.processes
    assert (await deaf.get(path)).json()["items"] == []
    monkeypatch.setattr(TenantFeed, "wake", _woken_by_readers_alone(TenantFeed.wake))
    for hour in range(4):
        booking = await writer.studio.booking(stage, **at(hour))
        answer = await deaf.get(path, Min_Event_Position=str(booking["position"]))
        assert len(answer.json()["items"]) == hour + 1
    await writer.studio.booking(stage, **at(4))
    monkeypatch.setattr(answers, "CONFIRM_SECONDS", 0.0)
    assert len((await deaf.get(path)).json()["items"]) == 5


def _woken_by_readers_alone(wake: Callable[[TenantFeed], None]) -> Callable[[TenantFeed], None]:
    """Lose what is heard from Redis and PostgreSQL."""

    def woken(feed: TenantFeed) -> None:
        if sys._getframe(1).f_code.co_filename == answers.__file__:
            wake(feed)

    return woken


async def test_a_process_reads_its_own_writes_without_asking_for_it(world: World) -> None:
    stage = await world.studio.resource()
    path = f"/v1/resources/{stage}/calendar?{WINDOW}"
    for hour in range(8):
        assert len((await world.studio.get(path)).json()["items"]) == hour
        await world.studio.booking(stage, **at(hour))


async def test_an_expired_hold_is_in_no_kept_answer(world: World, database: Database) -> None:
    stage = await world.studio.resource()
    with psycopg.connect(database.owner_dsn, autocommit=True) as conn:
        now = cast("datetime", conn.execute("select clock_timestamp()").fetchone()[0])  # type: ignore[index]
        expiry = now.astimezone(UTC) + timedelta(seconds=1)
        held = await world.studio.booking(stage, status="held", hold_expires_at=expiry.isoformat())
        path = f"/v1/resources/{stage}/calendar?{WINDOW}"
        free = f"/v1/availability?resource_id={stage}&{WINDOW}"
        everybody = (*world.processes, world.forgetful)
        for process in everybody:
            calendar = await process.get(path, Min_Event_Position=str(held["position"]))
            assert len(calendar.json()["items"]) == 1
            assert len((await process.get(free)).json()["common"]) == 2
            await put_into_redis(process)
        conn.execute("select pg_sleep_until(%s)", [expiry])
        for process in everybody:
            assert (await process.get(path)).json()["items"] == []
            assert len((await process.get(free)).json()["common"]) == 1


async def test_redis_that_keeps_too_long_does_not_make_a_hold_last(world: World) -> None:
    stage = await world.studio.resource()
    expiry = datetime.now(UTC) + timedelta(seconds=0.7)
    held = await world.studio.booking(stage, status="held", hold_expires_at=expiry.isoformat())
    path = f"/v1/resources/{stage}/calendar?{WINDOW}"
    await world.studio.get(path)
    await put_into_redis(world.processes[0])
    with Redis.from_url(world.redis.url) as client:
        keys = [key for key in client.keys("booking:cache:*") if b"calendar" in key]
        for key in keys:
            client.persist(key)
        assert keys
        await asyncio.sleep(max(0.0, (expiry - datetime.now(UTC)).total_seconds()) + 0.05)
        for process in (world.forgetful, *world.processes):
            answer = await process.get(path, Min_Event_Position=str(held["position"]))
            assert answer.json()["items"] == []


async def test_what_is_no_answer_of_ours_in_redis_is_none(world: World) -> None:
    stage = await world.studio.resource()
    path = f"/v1/resources/{stage}/calendar?{WINDOW}"
    expected = await world.studio.get(path)
    await put_into_redis(world.processes[0])
    with Redis.from_url(world.redis.url) as client:
        [key] = [key for key in client.keys("booking:cache:*") if b"calendar" in key]
        ours = client.get(key)
        assert ours is not None
        for written, instead in (
            (b'"tag":"', b'"tag":"\\r\\nx-header: '),
            (b'"key":"', b'"key":"of another '),
            (b"{", b"["),
        ):
            altered = ours.replace(written, instead, 1)
            assert altered != ours
            client.set(key, altered)
            assert same(await world.forgetful.get(path), expected)
            await put_into_redis(world.forgetful)
        assert same(await world.forgetful.get(path), expected)
    assert world.forgetful.looks("calendar", "redis", "miss") == 3
    assert world.forgetful.looks("calendar", "redis", "hit") == 1


async def test_nothing_that_shows_a_person_comes_into_redis(world: World) -> None:
    stage = await world.studio.resource()
    booking = await world.studio.booking(stage, customer=ADA)
    path = f"/v1/bookings/{booking['id']}"
    for process in (*world.processes, world.forgetful):
        answer = await process.get(path, Min_Event_Position=str(booking["position"]))
        assert answer.json()["customer"] == ADA
        await put_into_redis(process)
    await world.studio.get(paths(stage, booking)["calendar"])
    await put_into_redis(world.processes[0])
    with Redis.from_url(world.redis.url) as client:
        kept = {key: client.get(key) for key in client.keys("booking:cache:*")}
    assert kept
    for key, value in kept.items():
        assert value is not None
        assert b"anary" not in key + value
        assert b":booking:" not in key


async def test_whoever_is_forgotten_is_in_no_answer_and_in_no_memory(world: World) -> None:
    stage = await world.studio.resource()
    booking = await world.studio.booking(stage, customer=ADA)
    path, (one, other) = f"/v1/bookings/{booking['id']}", world.processes
    for process in (one, other):
        assert (await process.get(path)).json()["customer"] == ADA
        assert process.services.answers._local.entries == 1
    tag = (await one.get(path)).headers["etag"]
    history = (await one.get(f"{path}/history")).json()["items"]
    key_id = history[0]["data"]["customer"]["key_id"]
    answer = await one.studio.post(f"/v1/customers/{key_id}/forget", {})
    assert answer.status_code == 200, answer.text
    position = answer.headers["event-position"]
    async with asyncio.timeout(5):  # every process hears of it
        for process in (one, other):
            await forgotten_by(process)
    for process in (one, other, one, other, world.forgetful, world.plain):
        gone = await process.get(path, Min_Event_Position=position, If_None_Match=tag)
        assert (gone.status_code, gone.json()["customer"]) == (200, None)


async def forgotten_by(process: Process) -> None:
    while process.services.answers._local.entries:
        await process.services.rounds.next()


@pytest.mark.parametrize("how", ["kill", "freeze"])
async def test_without_redis_all_goes_on(world: World, how: str) -> None:
    stage = await world.studio.resource()
    path = f"/v1/resources/{stage}/calendar?{WINDOW}"
    await world.studio.get(path)
    if how == "kill":
        world.redis.kill()
    else:
        world.redis.freeze()
    try:
        for hour in range(6):
            booking = await world.processes[hour % 2].studio.booking(stage, **at(hour))
            for process in (*world.processes, world.forgetful):
                answer = await process.get(path, Min_Event_Position=str(booking["position"]))
                assert len(answer.json()["items"]) == hour + 1
    finally:
        if how == "kill":
            world.redis.start()
        else:
            world.redis.thaw()


def second_studio(world: World, database: Database) -> list[Studio]:
    with psycopg.connect(database.owner_dsn) as conn:
        create_tenant(conn, "orion", "Orion")
        keys = {role: create_api_key(conn, "orion", role) for role in ROLES}
    return [Studio(process.studio.app, keys) for process in (*world.processes, world.forgetful)]


async def test_no_tenant_gets_a_byte_of_another(world: World, database: Database) -> None:
    mine = [each.studio for each in (*world.processes, world.forgetful)]
    theirs = second_studio(world, database)
    stage = await mine[0].resource("Canary")
    booking = await mine[0].booking(stage, title="Canary")
    asked = paths(stage, booking).values()
    for studio in mine:
        for path in asked:
            assert (await studio.get(path)).status_code == 200
    await put_into_redis(world.processes[0])
    for studio in theirs:
        for path in asked:
            answer = await studio.get(path)
            assert_problem(answer, 404, "not-found")
            assert "Canary" not in answer.text
    # The same ids in the same places, as if another tenant's answer stood under one's own key.
    own = await theirs[0].resource("Own")
    calendar = f"/v1/resources/{own}/calendar?{WINDOW}"
    expected = (await theirs[0].get(calendar)).content
    await put_into_redis(world.processes[0])
    with Redis.from_url(world.redis.url) as client:
        [foreign] = [
            key
            for key in client.keys("booking:cache:*")
            if stage.encode() in key and b":calendar:" in key
        ]
        [key] = [key for key in client.keys("booking:cache:*") if own.encode() in key]
        client.set(key, client.get(foreign) or b"")
        assert (await theirs[2].get(calendar)).content == expected
        for nonsense in (b"", b"{}", b"\xff\n\xff", b"null\n{}"):
            client.set(key, nonsense)
            assert (await theirs[2].get(calendar)).content == expected


async def test_only_who_may_read_is_answered_out_of_memory(world: World) -> None:
    stage = await world.studio.resource()
    path = f"/v1/resources/{stage}"
    for _ in range(2):
        assert (await world.studio.get(path)).status_code == 200
    assert_problem(await world.studio.with_key("nobody").get(path), 401, "unauthenticated")
    assert_problem(await world.studio.as_role("feed").get(path), 403, "forbidden")


async def test_absent_things_and_pages_are_answered_as_ever(world: World) -> None:
    stage = await world.studio.resource()
    for hour in range(3):
        await world.studio.booking(stage, **at(hour))
    path = f"/v1/resources/{stage}/calendar?{WINDOW}&limit=2"
    for _ in range(3):
        first = await world.studio.get(path)
        assert len(first.json()["items"]) == 2
        assert 'rel="next"' in first.headers["link"]
        following = await world.studio.get(first.headers["link"][1:].split(">")[0])
        assert len(following.json()["items"]) == 1
        assert following.headers["etag"]
        absent = await world.studio.get(f"/v1/resources/{shared.FORM:032x}")
        assert absent.status_code == 404
    fresh = new_booking([stage])
    assert (await world.studio.post("/v1/bookings", fresh)).status_code == 201
