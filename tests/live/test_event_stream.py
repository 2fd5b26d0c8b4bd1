"""When a stream of events ends, other than by its client."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from api.draining import Draining
from api.live.event_stream import MOST_WAITING, EventStream
from domain.commands import Amend
from domain.ids import BookingId
from infra.errors import Overloaded
from infra.live import Feed, Room
from tests.engine.conftest import Studio, book
from tests.live.test_feed import everything_told

SOON = 5.0


class Door:
    """Says whether the client may listen."""

    def __init__(self) -> None:
        self.open = True
        self.asked = 0
        self.broken = False

    async def may(self) -> bool:
        self.asked += 1
        if self.broken:
            raise Overloaded
        return self.open


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch) -> Door:
    monkeypatch.setattr("api.live.event_stream.CHECK_SECONDS", 0.02)
    return Door()


async def rest_of(parts: AsyncIterator[bytes]) -> list[bytes]:
    async with asyncio.timeout(SOON):
        return [part async for part in parts]


async def test_it_ends_when_the_client_may_listen_no_more_and_not_while_nobody_can_tell(
    studio: Studio, feed: Feed, door: Door
) -> None:
    followed = await feed.follow(studio.tenant_id)
    room = Room("tenant", studio.tenant_id)
    parts = EventStream(followed, room, Draining(), door.may).since(None)
    await anext(parts)
    door.broken = True
    while door.asked < 3:
        await anext(parts)  # heartbeats
    door.broken, door.open = False, False
    assert (await rest_of(parts))[-1] == b"event: auth.expired\ndata: {}\n\n"
    assert followed.rooms == 0


async def test_it_ends_when_the_process_is_told_to_stop(
    studio: Studio, feed: Feed, door: Door
) -> None:
    followed, draining = await feed.follow(studio.tenant_id), Draining()
    parts = EventStream(followed, Room("tenant", studio.tenant_id), draining, door.may).since(None)
    await anext(parts)
    draining._end_what_lasts()
    await rest_of(parts)
    assert followed.rooms == 0


async def test_a_client_that_takes_nothing_is_cut_off_with_little_waiting_for_it(
    studio: Studio, feed: Feed, door: Door
) -> None:
    booking = await studio.booked(book(await studio.resource()))
    followed = await feed.follow(studio.tenant_id)
    stream = EventStream(followed, Room("booking", booking.id), Draining(), door.may)
    parts = stream.since(None)
    await anext(parts)
    for _ in range(MOST_WAITING + 1):
        followed.beat()
    await studio.accepted(Amend(booking_id=BookingId(booking.id), changes={"title": "Finale"}))
    await everything_told(studio, followed)
    assert not any(b"event: change" in part for part in await rest_of(parts))
    assert followed.rooms == 0
