"""Everything fails while planners look on: what each of them applied is the log all the same."""

import asyncio
import os
import signal
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import httpx

from tests.acceptance.conftest import DEMO_KEY, FINE_DAY, House, Serving, booking
from tests.live.client import FollowedRoom, LiveClient, connected
from tests.redis_server import RedisServer
from tests.scratch import scratch_directory

EVENTS = 10_000
STAGES = 4
COMMANDS_AT_ONCE = 250
CLIENTS = 6
BREAK_SECONDS = 0.2
UNLIMITED = {"BOOKING_TENANT_RATE": "0", "BOOKING_KEY_RATE": "0"}
PATIENCE_SECONDS = 60.0


async def test_each_client_applies_the_log_whatever_is_killed(house: House) -> None:
    with scratch_directory("booking-redis-") as directory:
        redis = RedisServer(Path(directory))
        redis.start()
        serving = house.open("--workers", "2", REDIS_URL=redis.url, **UNLIMITED)
        try:
            await _chaos(serving, redis)
        finally:
            redis.kill()
    assert serving.stop() == 0


async def _chaos(serving: Serving, redis: RedisServer) -> None:
    chance = Random(11)  # noqa: S311 - nothing is kept secret by it
    headers = {"Authorization": f"Bearer {DEMO_KEY}"}
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(
            httpx.AsyncClient(base_url=serving.address, headers=headers, timeout=30)
        )
        stages = [await _register(api) for _ in range(STAGES)]
        clients: list[LiveClient] = []
        rooms: list[FollowedRoom] = []
        for number in range(CLIENTS):
            client = await stack.enter_async_context(connected(serving.address, DEMO_KEY))
            clients.append(client)
            name = {"resource_id": stages[number % STAGES]} if number % 3 else {}
            rooms.append(await client.follow(after=0, **name))
        for turn in range(EVENTS // (2 * COMMANDS_AT_ONCE)):
            breaking = asyncio.create_task(_break(turn, serving, redis, chance.choice(clients)))
            await _happen(api, stages, turn)
            await breaking
        log = await _log(api)
        assert len(log) >= EVENTS
        async with asyncio.timeout(PATIENCE_SECONDS):
            for client, room in zip(clients, rooms, strict=True):
                expected = _expected(log, room)
                await client.until(lambda: room.positions[-1:] == expected[-1:])  # noqa: B023 - at once
                assert room.positions == expected
                assert room.snapshots == []
        assert any(client.connections > 1 for client in clients)


async def _register(api: httpx.AsyncClient) -> str:
    body = {"name": "Stage", "kind": "stage", "timezone": "UTC"}
    return str((await api.post("/v1/resources", json=body)).json()["id"])


async def _happen(api: httpx.AsyncClient, stages: Sequence[str], turn: int) -> None:
    """Book, and give up what was booked."""
    books = [_book(stages, turn, place) for place in range(COMMANDS_AT_ONCE)]
    booked = await _do(api, f"book-{turn}", books)
    ids = [result["body"]["id"] for result in booked]
    await _do(api, f"cancel-{turn}", [{"type": "cancel", "booking_id": each} for each in ids])


def _book(stages: Sequence[str], turn: int, place: int) -> dict[str, Any]:
    """A few minutes of a day, so that those of one stage do not meet."""
    row, stage = divmod(place, len(stages))
    start = FINE_DAY + timedelta(days=turn, minutes=5 * row)
    end = start + timedelta(minutes=5)
    times = {"start_time": start.isoformat(), "end_time": end.isoformat()}
    return {"type": "book", **booking(stages[stage]), **times}


async def _do(
    api: httpx.AsyncClient, key: str, commands: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Have commands done; where the answer is lost, ask again with the same key."""
    while True:
        with suppress(httpx.TransportError):
            answer = await api.post(
                "/v1/commands", json={"commands": commands}, headers={"Idempotency-Key": key}
            )
            if answer.status_code != 503:
                break
        await asyncio.sleep(0.1)
    assert answer.status_code == 200, answer.text
    results: list[dict[str, Any]] = answer.json()["results"]
    assert {result["status"] for result in results} <= {200, 201}, results[:3]
    return results


async def _break(turn: int, serving: Serving, redis: RedisServer, client: LiveClient) -> None:
    """Kill Redis and start it again, kill a worker, or cut a client off, in the midst of a turn."""
    await asyncio.sleep(BREAK_SECONDS)
    match turn % 4:
        case 0:
            redis.kill()
            await asyncio.sleep(BREAK_SECONDS)
            await asyncio.to_thread(redis.start)
        case 2:
            workers = _workers_of(serving.process.pid)
            if len(workers) > 1:  # the one that was killed before may not have come back
                os.kill(workers[0], signal.SIGKILL)
        case _:
            await client.cut()


def _workers_of(server: int) -> list[int]:
    found = []
    for process in Path("/proc").iterdir():
        with suppress(OSError):  # it has ended
            if process.name.isdigit():
                parent = (process / "stat").read_text().rpartition(")")[2].split()[1]
                if int(parent) == server and b"spawn_main" in (process / "cmdline").read_bytes():
                    found.append(int(process.name))
    return found


async def _log(api: httpx.AsyncClient) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []
    while True:
        answer = await api.get("/v1/events", params={"after": len(events), "limit": 200})
        assert answer.status_code == 200, answer.text
        page = answer.json()["items"]
        if not page:
            return events
        events += page


def _expected(log: Sequence[dict[str, Any]], room: FollowedRoom) -> list[int]:
    """The positions of a room: those of what happened to its resource, or all."""
    if not room.name:
        return [int(event["sequence"]) for event in log]
    resource_id = room.name["resource_id"]
    inside = {f"resources/{resource_id}"} | {
        event["subject"] for event in log if resource_id in event["data"].get("resource_ids", ())
    }
    return [int(event["sequence"]) for event in log if event["subject"] in inside]
