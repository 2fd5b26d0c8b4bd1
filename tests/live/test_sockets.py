"""Clients on sockets: what they are told is the log of their rooms, whatever happens to them."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from infra.database import Database
from tests.conftest import Server, fresh_database
from tests.live.client import Transport, connected
from tests.live.serving import LiveStudio, Served, served

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def shared_database(server: Server) -> Iterator[Database]:
    with fresh_database(server) as database:
        yield database


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def serving(shared_database: Database) -> AsyncIterator[Served]:
    async with served(shared_database) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def studio(serving: Served) -> AsyncIterator[LiveStudio]:
    async with serving.studio() as studio:
        yield studio


@pytest.mark.parametrize("transport", ["websocket", "polling", None])
async def test_whoever_subscribes_is_told_of_bookings(
    serving: Served, studio: LiveStudio, transport: Transport | None
) -> None:
    stage = await studio.resource()
    async with connected(serving.address, studio.keys["viewer"], transport) as client:
        room = await client.follow(resource_id=stage)
        booked = await studio.book(stage)
        await client.until(lambda: room.last == booked["position"])
        assert {change["booking"]["id"] for change in room.applied} == {booked["id"]}
        assert room.applied[-1]["booking"]["status"] == "confirmed"
        assert room.applied[-1]["actor"] != room.applied[-1]["booking"]["id"]
