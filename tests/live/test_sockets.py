"""Clients on sockets: what they are told is the log of their rooms, whatever happens to them."""

import asyncio
from functools import partial
from random import Random

import httpx
import pytest
from pydantic_core import from_json

from api.live import socket as live_socket
from infra.live import tenant_feed
from tests.live.client import FollowedRoom, Transport, connected
from tests.live.raw import RawSession
from tests.live.serving import IN_THE_LOOP_OF_THE_MODULE, LiveStudio, Served

pytestmark = IN_THE_LOOP_OF_THE_MODULE


def positions_of(studio_log: list[dict[str, object]], thing: str) -> list[int]:
    """Where the log tells of a booking or resource, by the events that `GET /v1/events` gives."""
    return [int(str(event["sequence"])) for event in studio_log if thing in str(event)]


@pytest.mark.parametrize("transport", ["websocket", "polling", None])
async def test_whoever_subscribes_is_told_of_bookings(
    serving: Served, planners: LiveStudio, transport: Transport | None
) -> None:
    stage = await planners.resource()
    async with connected(serving.address, planners.keys["viewer"], transport) as client:
        room = await client.follow(resource_id=stage)
        booked = await planners.book(stage)
        await client.until(lambda: room.last == booked["position"])
        assert {change["booking"]["id"] for change in room.applied} == {booked["id"]}
        assert room.applied[-1]["booking"]["status"] == "confirmed"
        assert room.applied[-1]["availability"][0]["resource_id"] == stage


async def test_each_room_is_told_its_own(serving: Served, planners: LiveStudio) -> None:
    stage, other = await planners.resource(), await planners.resource()
    watched = await planners.book(stage)
    async with connected(serving.address, planners.keys["viewer"]) as client:
        of_stage = await client.follow(resource_id=stage)
        of_booking = await client.follow(booking_id=watched["id"])
        of_all = await client.follow()
        elsewhere = await planners.book(other)
        here = await planners.book(stage)
        cancelled = await planners.client.post(f"/v1/bookings/{watched['id']}/cancel")
        last = cancelled.json()["position"]
        await client.until(lambda: of_all.last == of_stage.last == of_booking.last == last)
        assert {each["booking"]["id"] for each in of_all.applied} == {
            elsewhere["id"],
            here["id"],
            watched["id"],
        }
        assert {each["booking"]["id"] for each in of_stage.applied} == {here["id"], watched["id"]}
        assert [each["type"] for each in of_booking.applied] == ["booking.cancelled"]
        assert await client.ask("unsubscribe", {"resource_id": stage}) == {"ok": True}
        last = (await planners.book(stage))["position"]
        await client.until(lambda: of_all.last == last)
        assert of_stage.last < last


async def test_what_was_missed_comes_after_the_acknowledgement_in_parts_and_once(
    serving: Served, planners: LiveStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.live.subscribing.FEW_WAITING", 7)
    stage = await planners.resource()
    await planners.book_many(stage, 20)
    booking_on = asyncio.create_task(_book(planners, stage, 20))
    async with connected(serving.address, planners.keys["viewer"]) as client:
        room = await client.follow(resource_id=stage, after=0)
        last = await booking_on
        await client.until(lambda: room.last == last)
        assert room.positions == [*range(1, last + 1)]
        assert room.lost == 0


async def test_the_acknowledgement_comes_first(serving: Served, planners: LiveStudio) -> None:
    stage = await planners.resource()
    await planners.book_many(stage, 3)
    async with httpx.AsyncClient(base_url=serving.address) as http:
        session = await RawSession.begin(http)
        await session.sign_in(planners.keys["viewer"])
        await session.send(f'420["subscribe",{{"resource_id":"{stage}","after":0}}]')
        came: list[str] = []
        while len(came) < 5:
            came += (await session.poll()).text.split("\x1e")
    assert [packet[:4] for packet in came] == ["430[", *['42["'] * 4]
    assert [from_json(packet[2:])[1]["position"] for packet in came[1:]] == [1, 2, 3, 4]


def _has_come_to(room: FollowedRoom, position: int) -> bool:
    return room.positions[-1:] == [position]


async def _book(planners: LiveStudio, stage: str, times: int) -> int:
    last = 0
    for _ in range(times):
        last = (await planners.book(stage))["position"]
    return last


@pytest.mark.parametrize("transport", ["websocket", "polling"])
async def test_connections_that_break_while_many_book_lose_and_double_nothing(
    serving: Served, planners: LiveStudio, transport: Transport
) -> None:
    chance = Random(3)  # noqa: S311 - nothing is kept secret by it
    stages = [await planners.resource() for _ in range(3)]
    async with (
        connected(serving.address, planners.keys["viewer"], transport) as one,
        connected(serving.address, planners.keys["booker"], transport) as two,
    ):
        rooms: list[tuple[FollowedRoom, set[str] | None]] = []
        for client in (one, two):
            rooms.append((await client.follow(after=0), None))
            rooms += [
                (await client.follow(resource_id=stage, after=0), {stage}) for stage in stages
            ]
        booking = [asyncio.create_task(_book(planners, stage, 25)) for stage in stages]
        before = one.connections + two.connections
        for _ in range(6):
            await asyncio.sleep(chance.uniform(0.01, 0.06))
            for live in [*serving.sockets._sockets.values()]:
                if chance.random() < 0.7:
                    serving.sockets._hang_up(live)
        await asyncio.gather(*booking)
        log = (await planners.client.get("/v1/events?limit=200")).json()["items"]
        assert len(log) == 3 + 75
        for room, wanted in rooms:
            client = one if room in one.rooms.values() else two
            last = len(log)
            whole = [*range(1, last + 1)]
            if wanted is not None:
                (stage,) = wanted
                whole = positions_of(log, stage)
            await client.until(partial(_has_come_to, room, whole[-1]))
            assert room.positions[: len(whole)] == whole
        assert one.connections + two.connections > before


async def test_whoever_was_away_too_long_or_is_ahead_of_the_log_reads_anew(
    serving: Served, planners: LiveStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = await planners.resource()
    await planners.book_many(stage, 1040)
    monkeypatch.setattr(tenant_feed, "MOST_REMEMBERED", 10)
    async with connected(serving.address, planners.keys["viewer"]) as client:
        told = await client.ask("subscribe", {"resource_id": stage, "after": 1})
        assert told == {
            "snapshot_required": True,
            "room": {"resource_id": stage},
            "position": 1041,
        }
        ahead = await client.ask("subscribe", {"resource_id": stage, "after": 99_999})
        assert ahead == told
        room = await client.follow(resource_id=stage, after=1)
        assert room.snapshots == [1041]
        booked = await planners.book(stage)
        await client.until(lambda: room.last == booked["position"])
        assert room.positions == [1042]


async def test_a_heartbeat_tells_how_far_a_room_should_be(
    serving: Served, planners: LiveStudio
) -> None:
    stage, other = await planners.resource(), await planners.resource()
    async with connected(serving.address, planners.keys["viewer"]) as client:
        room = await client.follow(resource_id=stage)
        booked = await planners.book(stage)
        await client.until(lambda: room.last == booked["position"])
        elsewhere = await planners.book(other)
        followed = serving.services.feed.followed(planners.tenant_id)
        assert followed is not None
        assert await followed.reached(elsewhere["position"], 5)
        followed.beat()
        await client.until(lambda: room.beats)
        assert room.beats == [
            {
                "room": {"resource_id": stage},
                "position": booked["position"],
                "head": elsewhere["position"],
            }
        ]
        assert room.last == elsewhere["position"]


async def test_a_message_that_is_lost_is_noticed_and_told_again(
    serving: Served, planners: LiveStudio
) -> None:
    stage = await planners.resource()
    async with connected(serving.address, planners.keys["viewer"]) as client:
        room = await client.follow(resource_id=stage)
        begun = room.last
        live = serving.socket_of(planners)
        live.ending = True  # what is told now gets lost
        lost = await planners.book(stage)
        followed = serving.services.feed.followed(planners.tenant_id)
        assert followed is not None
        assert await followed.reached(lost["position"], 5)
        live.ending = False
        assert room.last == begun
        last = (await planners.book(stage))["position"]
        await client.until(lambda: room.last == last)
        assert begun is not None
        assert room.positions == [*range(begun + 1, last + 1)]
        assert room.lost == 1


async def test_who_takes_nothing_is_cut_off_and_resumes(
    serving: Served, planners: LiveStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = await planners.resource()
    async with connected(serving.address, planners.keys["viewer"]) as client:
        room = await client.follow(resource_id=stage)
        begun = room.last
        live = serving.socket_of(planners)
        monkeypatch.setattr(live_socket, "MOST_WAITING", 0)
        await planners.book(stage)
        await client.until(lambda: not client.io.connected)
        assert live.session not in serving.sockets._sockets
        monkeypatch.undo()
        last = (await planners.book(stage))["position"]
        await client.until(lambda: room.last == last)
        assert client.connections > 1
        assert begun is not None
        assert room.positions == [*range(begun + 1, last + 1)]
