"""Whatever happens, nobody is sent a byte of another tenant."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import psycopg
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.guards import Guards
from infra.access import list_api_keys
from infra.database import Database
from tests.live.client import LiveClient, connected
from tests.live.serving import IN_THE_LOOP_OF_THE_MODULE, LiveStudio, Served, served
from tests.redis_server import RedisServer

pytestmark = IN_THE_LOOP_OF_THE_MODULE

DAY = "2027-03-01"


@dataclass
class House:
    """One of two studios, with somebody who listens to all that they can."""

    studio: LiveStudio
    client: LiveClient
    stage: str
    first: str
    secrets: list[str] = field(default_factory=list)
    last: tuple[str, int] | None = None
    hour: int = 0

    async def book(self, _theirs: "House") -> None:
        self.hour += 1
        booked = await self.studio.book(self.stage, at=self.hour, title=self.title)
        self.secrets.append(booked["id"])
        self.last = (booked["id"], self.hour)

    async def cancel(self, _theirs: "House") -> None:
        if self.last is not None:
            await self.studio.client.post(f"/v1/bookings/{self.last[0]}/cancel")
            self.last = None

    async def be_refused(self, _theirs: "House") -> None:
        if self.last is not None:
            refused = await self.studio.try_to_book(self.stage, at=self.last[1])
            assert refused.status_code == 409

    async def subscribe(self, _theirs: "House") -> None:
        await self.client.follow(resource_id=self.stage, after=0)

    async def subscribe_to_theirs(self, theirs: "House") -> None:
        for name in ({"resource_id": theirs.stage}, {"booking_id": theirs.first}):
            for body in (name, {**name, "after": 0}):
                answer = await self.client.ask("subscribe", body)
                assert answer["problem"]["type"] == "/problems/not-found"

    async def meet(self, _theirs: "House") -> None:
        await self.client.ask("presence.enter", {"resource_id": self.stage, "day": DAY})

    async def meet_at_theirs(self, theirs: "House") -> None:
        place = {"resource_id": theirs.stage, "day": DAY}
        assert "problem" in await self.client.ask("presence.enter", place)

    async def come_back(self, _theirs: "House") -> None:
        before = self.client.connections
        await self.client.io.eio.ws.close()
        await self.client.until(lambda: self.client.connections > before)

    @property
    def title(self) -> str:
        return f"title of {self.studio.slug}"


ACTS = (
    House.book,
    House.cancel,
    House.be_refused,
    House.subscribe,
    House.subscribe_to_theirs,
    House.meet,
    House.meet_at_theirs,
    House.come_back,
)


async def _house(serving: Served, studio: LiveStudio, client: LiveClient) -> House:
    stage = await studio.resource(f"stage of {studio.slug}")
    first = await studio.book(stage, at=0)
    house = House(studio, client, stage, first["id"])
    with psycopg.connect(serving.database.owner_dsn) as conn:
        house.secrets += [str(key.key_id) for key in list_api_keys(conn, studio.slug)]
    house.secrets += [str(studio.tenant_id), house.title, f"stage of {studio.slug}"]
    await client.follow()
    return house


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def houses(
    live_database: Database, redis_server: RedisServer
) -> AsyncIterator[tuple[House, House]]:
    guards = Guards(redis_url=redis_server.url)
    async with (
        served(live_database, guards) as one,
        served(live_database, guards) as two,
        one.studio() as nova,
        two.studio() as orion,
        connected(one.address, nova.keys["admin"]) as of_nova,
        connected(two.address, orion.keys["admin"]) as of_orion,
    ):
        yield await _house(one, nova, of_nova), await _house(two, orion, of_orion)


Act = Callable[[House, House], Awaitable[None]]


@given(acts=st.lists(st.tuples(st.sampled_from([0, 1]), st.sampled_from(ACTS)), max_size=12))
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
async def test_nobody_is_sent_a_byte_of_another_tenant(
    houses: tuple[House, House], acts: list[tuple[int, Act]]
) -> None:
    for whose, what in acts:
        await what(houses[whose], houses[1 - whose])
    for mine, theirs in (houses, houses[::-1]):
        room = mine.client.rooms[()]
        booked = await mine.studio.client.get("/v1/events?limit=1")
        head = int(booked.headers["Event-Position"])
        await mine.client.reaches(room, head)
        sent = "\n".join(mine.client.raw)
        assert mine.title in sent or not mine.last
        for secret in theirs.secrets:
            assert secret not in sent
