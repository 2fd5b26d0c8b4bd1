"""Each thing outside fails: it is seen where operators look, bookings go on, and it heals."""

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import pytest

from api import bootstrap
from api.app import build_app
from api.bootstrap import running_services
from api.guards import Guards
from api.issuers import issuers_of
from api.services import Services, provide
from infra import redis_circuit
from infra.access.tokens import issuers, key_set
from infra.circuits import Circuits
from infra.database import Database
from infra.limits import Allowance, redis_buckets
from infra.limits.of_tenants import DefaultLimits
from infra.master_key import MasterKey
from infra.object_storage import ObjectStore, StoreFailed, open_store
from infra.object_storage import store as storing
from infra.settings import Settings
from tests.access.tokens.conftest import ORIGIN, Door
from tests.access.tokens.local_issuer import (
    FIRST,
    SECOND,
    LocalIssuer,
    SigningKey,
    serving_issuer,
)
from tests.api.conftest import Studio, assert_problem, make_studio, new_booking
from tests.clock import Clock
from tests.object_storage.local_s3 import ACCESS_KEY_ID, SECRET_ACCESS_KEY, LocalS3, running_s3
from tests.redis_server import RedisServer

STORE = "object store"


@dataclass
class Place:
    """A studio whose API calls things outside, all of which are ours to break."""

    studio: Studio
    services: Services
    clock: Clock
    redis: RedisServer
    issuer: LocalIssuer
    stage: str
    booked: int = 0
    came: int = 0

    async def shown(self, circuit: str) -> str:
        """How a circuit is: `/readyz` and `/metrics` agree, and the process is ready."""
        ready = await self.studio.with_key(None).get("/readyz")
        assert ready.status_code == 200, ready.text
        state = str(ready.json()["circuits"][circuit])
        labels = f'{{circuit="{circuit}",process="server"}}'
        told = f"booking_circuit_open{labels} {float(state != 'closed')}\n"
        assert told in (await self.studio.get("/metrics")).text
        return state

    async def books(self) -> None:
        self.booked += 1
        day = self.booked
        hours = {
            "start_time": f"2027-05-{day:02}T09:00:00Z",
            "end_time": f"2027-05-{day:02}T10:00:00Z",
        }
        answer = await self.studio.post("/v1/bookings", new_booking([self.stage], **hours))
        assert answer.status_code == 201, answer.text

    async def comes_with(self, key: SigningKey) -> int:
        """The answer to somebody new who shows a token that was signed with this key."""
        self.came += 1
        now = int(time.time())
        claims = Door(self.issuer, AsyncExitStack()).claims(
            sub=f"user_{self.came}", iat=now, nbf=now - 10, exp=now + 60
        )
        client = self.studio.with_key(key.token(claims))
        answer = await client.get("/v1/resources")
        if answer.status_code == 503:
            assert_problem(answer, 503, "issuer-unavailable")
        return answer.status_code


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """What circuits of the API go by."""
    clock = Clock()
    monkeypatch.setattr(bootstrap, "Circuits", partial(Circuits, clock=clock))
    return clock


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_buckets, "ANSWER_SECONDS", 5.0)  # also on a machine that is busy
    monkeypatch.setattr(key_set, "LOOK_SECONDS", 0.0)
    soon = timedelta(milliseconds=1)
    backoff = {"init_backoff": soon, "max_backoff": soon, "base": 2}
    monkeypatch.setattr(storing, "RETRIES", {**storing.RETRIES, "backoff": backoff})


@pytest.fixture
async def place(database: Database, redis: RedisServer, clock: Clock) -> AsyncIterator[Place]:
    async with serving_issuer() as issuer:
        settings = {"CLERK_ISSUER": issuer.address, "CLERK_AUTHORIZED_PARTIES": ORIGIN}
        async with running_services(
            database.runtime_dsn,
            MasterKey(bytes(32)),
            connections=4,
            issuers=issuers_of(Settings.model_validate(settings)),
            guards=Guards(
                limits=DefaultLimits(Allowance(0.01, 20), Allowance(0)), redis_url=redis.url
            ),
        ) as services:
            app = build_app()
            provide(app, services)
            studio = make_studio(database, app, "nova")
            yield Place(studio, services, clock, redis, issuer, await studio.resource())


@pytest.fixture
def s3() -> Iterator[LocalS3]:
    with running_s3() as store:
        yield store


async def test_without_redis_each_process_counts_for_itself_and_bookings_go_on(
    place: Place,
) -> None:
    assert await place.shown("Redis") == "closed"
    place.redis.kill()
    try:
        for _ in range(5):
            await place.books()
        assert await place.shown("Redis") == "open"
        answers = [await place.studio.get("/v1/resources") for _ in range(20)]
        assert {answer.status_code for answer in answers} == {200, 429}  # limits hold, in here
    finally:
        place.redis.start()
    place.clock.seconds += redis_circuit.REST_SECONDS
    await place.books()  # out of the buckets that all share, from which nobody took meanwhile
    assert await place.shown("Redis") == "closed"


async def test_without_the_issuer_those_with_known_keys_come_in_and_bookings_go_on(
    place: Place,
) -> None:
    issuer = place.issuer.address
    assert await place.comes_with(FIRST) == 200
    assert await place.shown(issuer) == "closed"
    await place.issuer.go_down()
    for _ in range(3):
        assert await place.comes_with(SECOND) == 503
    assert await place.shown(issuer) == "open"
    assert await place.comes_with(FIRST) == 200
    await place.books()

    place.issuer.keys = [FIRST.published(), SECOND.published()]
    await place.issuer.go_up()
    place.clock.seconds += issuers.PAUSE_SECONDS
    assert await place.comes_with(SECOND) == 200
    assert await place.shown(issuer) == "closed"


def keep(store: ObjectStore) -> None:
    with store.writing("nova/bookings.csv") as file:
        file.write(b"a,b\r\n")


async def test_without_the_object_store_an_export_says_what_to_do_and_bookings_go_on(
    place: Place, s3: LocalS3
) -> None:
    settings = {
        "BOOKING_OBJECT_STORE": "s3://exports",
        "BOOKING_OBJECT_STORE_ENDPOINT": s3.url,
        "BOOKING_OBJECT_STORE_ACCESS_KEY_ID": ACCESS_KEY_ID,
        "BOOKING_OBJECT_STORE_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
    }
    store = open_store(Settings.model_validate(settings), place.services.circuits)
    keep(store)
    assert await place.shown(STORE) == "closed"

    s3.failing = {"PUT object": (503, 1_000)}
    for _ in range(storing.FAILURES):
        with pytest.raises(StoreFailed, match="then try again"):
            keep(store)
    asked = s3.asked["PUT object"]
    assert await place.shown(STORE) == "open"
    with pytest.raises(StoreFailed, match=r"left alone .*Try again then, or keep"):
        keep(store)
    assert s3.asked["PUT object"] == asked
    await place.books()

    s3.failing = {}
    place.clock.seconds += storing.PAUSE_SECONDS
    keep(store)
    assert await place.shown(STORE) == "closed"
