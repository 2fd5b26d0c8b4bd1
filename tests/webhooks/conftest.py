"""A studio with an API, somebody else's server, and senders as many as are asked for."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast

import psycopg
import pytest
from fastapi import FastAPI
from psycopg.rows import TupleRow

from api.bootstrap import running_services
from api.guards import Guards
from api.sending import cloud_event_bytes
from api.services import Services
from infra.database import Database
from infra.ending import end
from infra.master_key import MasterKey
from infra.postgres.pool import open_pool
from infra.webhooks.posting import Poster, open_poster
from infra.webhooks.secrets import SecretSealing
from infra.webhooks.sender import Rhythm, WebhookSender
from infra.wrapped_secrets import open_secrets
from tests.api.conftest import Studio, app, log, make_studio, new_booking, studio
from tests.webhooks.receiver import SECONDS, Receiver

__all__ = ["app", "log", "studio"]

# Any: JSON, looked at from all sides.
Json = dict[str, Any]
Senders = Callable[..., AbstractAsyncContextManager[WebhookSender]]


@pytest.fixture
def master_key() -> MasterKey:
    return MasterKey(secrets.token_bytes(32))


@pytest.fixture
async def services(database: Database, master_key: MasterKey) -> AsyncIterator[Services]:
    async with running_services(
        database.runtime_dsn, master_key, connections=6, guards=Guards(webhooks_anywhere=True)
    ) as services:
        yield services


@pytest.fixture
def other_studio(database: Database, app: FastAPI) -> Studio:
    return make_studio(database, app, "orion")


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver().listening() as receiver:
        yield receiver


@pytest.fixture
def sending(database: Database, master_key: MasterKey) -> Senders:
    """A sender that works; with another poster, if it is given one."""

    @asynccontextmanager
    async def sending(
        poster: Poster | None = None, **rhythm: float
    ) -> AsyncIterator[WebhookSender]:
        kept = await asyncio.to_thread(open_secrets, database.runtime_dsn, master_key)
        pool = await open_pool(database.runtime_dsn, role="booking_projector", max_size=4)
        async with open_poster(anywhere=True, connections=64) as own_poster:
            sender = WebhookSender(
                pool,
                poster or own_poster,
                SecretSealing(kept.webhook_secret_sealing),
                cloud_event_bytes,
                rhythm=Rhythm(**{"poll_seconds": 0.1, **rhythm}),
            )
            running = asyncio.create_task(sender.run(database.runtime_dsn))
            try:
                yield sender
            finally:
                await end({running})
                await pool.close()

    return sending


NO_MESSAGE_YET: Json = {"state": None, "last_status": None}


@dataclass
class Hook:
    """An endpoint as its owner sees it."""

    studio: Studio
    id: str
    secret: str

    @property
    def path(self) -> str:
        return f"/v1/webhook-endpoints/{self.id}"

    async def read(self) -> Json:
        answer = await self.studio.get(self.path)
        assert answer.status_code == 200, answer.text
        return cast("Json", answer.json())

    async def change(self, **fields: Any) -> Json:  # noqa: ANN401 - JSON
        answer = await self.studio.patch(self.path, fields)
        assert answer.status_code == 200, answer.text
        return cast("Json", answer.json())

    async def replay(self, after: int, until: int) -> int:
        answer = await self.studio.post(f"{self.path}/replay", {"after": after, "until": until})
        assert answer.status_code == 200, answer.text
        return int(answer.json()["messages"])

    async def delivery(self, position: int) -> Json:
        answer = await self.studio.get(f"{self.path}/deliveries/{position}")
        assert answer.status_code in (200, 404), answer.text
        return cast("Json", answer.json()) if answer.status_code == 200 else NO_MESSAGE_YET

    async def deliveries(self, query: str = "") -> list[Json]:
        answer = await self.studio.get(f"{self.path}/deliveries{query}")
        assert answer.status_code == 200, answer.text
        return cast("list[Json]", answer.json()["items"])

    async def once(self, told: Callable[[Json], bool]) -> Json:
        """Read it until it tells something."""
        return await once(self.read, told)

    async def delivered(self, position: int, attempts: int = 1) -> Json:
        return await once(
            lambda: self.delivery(position),
            lambda told: told["state"] == "delivered" and int(told["attempts"]) >= attempts,
        )


async def once(read: Callable[[], Awaitable[Json]], told: Callable[[Json], bool]) -> Json:
    async with asyncio.timeout(SECONDS):
        while True:
            found = await read()
            if told(found):
                return found
            await asyncio.sleep(0.02)


async def hook(studio: Studio, url: str, **fields: Any) -> Hook:  # noqa: ANN401 - JSON
    answer = await studio.post("/v1/webhook-endpoints", {"url": url, **fields})
    assert answer.status_code == 201, answer.text
    made = answer.json()
    return Hook(studio, str(made["id"]), str(made["secret"]))


async def lifted(studio: Studio, stage: str, hour: int) -> str:
    """Book an hour of a stage, confirm and cancel it: three events of one booking."""
    period = {
        "start_time": f"2027-03-01T{hour:02}:00:00Z",
        "end_time": f"2027-03-01T{hour:02}:30:00Z",
    }
    asked = new_booking([stage], status="held", **period)
    booking = (await studio.post("/v1/bookings", asked)).json()["id"]
    for step in ("confirm", "cancel"):
        assert (await studio.post(f"/v1/bookings/{booking}/{step}")).status_code == 200
    return str(booking)


def rows(database: Database, query: str) -> list[TupleRow]:
    with psycopg.connect(database.owner_dsn) as conn:
        return conn.execute(query.encode()).fetchall()


def execute(database: Database, statement: str) -> None:
    with psycopg.connect(database.owner_dsn) as conn:
        conn.execute(statement.encode())
