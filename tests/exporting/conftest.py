"""A studio with some of everything that can be exported, and a neighbour; made once."""

import asyncio
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from typing import cast
from uuid import UUID

import psycopg
import pytest

from api.app import build_app
from api.bootstrap import running_services
from api.services import provide
from domain.ids import TenantId
from infra.access import tenant_named
from infra.database import Database
from infra.exporting import Contents, Format, Window, opened_export, writing
from infra.master_key import MasterKey
from infra.postgres.pool import open_pool
from infra.projecting import ProjectionRunner
from projections.catalogue import ASYNCHRONOUS
from tests.api.conftest import Json, Studio, make_studio
from tests.conftest import Server, fresh_database

NEXT_JUNE = f"{datetime.now(UTC).year + 1}-06-01"  # of what is far from now no days are counted
ALWAYS = Window(None, None)
FORMULA = '=HYPERLINK("http://evil.example")'
ADA: Json = {"id": "canary-ada", "name": "Canary Ada", "email": "canary@ada.example"}
BOB: Json = {"id": "canary-bob", "name": "Canary Bob"}


@dataclass(frozen=True)
class Ground:
    """The database with both."""

    database: Database

    def tenant(self, slug: str = "nova") -> TenantId:
        with psycopg.connect(self.database.owner_dsn) as conn:
            return tenant_named(conn, slug)

    def export(
        self, contents: Contents, kept_as: Format = "jsonl", window: Window = ALWAYS
    ) -> bytes:
        out = BytesIO()
        with (
            opened_export(self.database.runtime_dsn, contents, self.tenant(), window) as exported,
            writing(contents.columns, kept_as, out) as write,
        ):
            for page in exported.pages:
                write(page)
        return out.getvalue()


@pytest.fixture(scope="session")
def exported_ground(server: Server) -> Iterator[Ground]:
    with fresh_database(server) as database:
        asyncio.run(_fill(database))
        yield Ground(database)


async def _fill(database: Database) -> None:
    key = MasterKey(secrets.token_bytes(32))
    async with running_services(database.runtime_dsn, key, connections=4) as services:
        app = build_app()
        provide(app, services)
        studio, neighbour = (make_studio(database, app, slug) for slug in ("nova", "orion"))
        await _some_of_everything(studio)
        await neighbour.booking(await neighbour.resource("Not to be seen"))
    pool = await open_pool(database.runtime_dsn, role="booking_projector", max_size=3)
    await ProjectionRunner(pool, ASYNCHRONOUS).catch_up()
    await pool.close()


async def _some_of_everything(studio: Studio) -> None:
    stage, camera = await studio.resource(), await studio.resource("Camera")
    night = {"start_time": "2037-03-28T21:00:00Z", "end_time": "2037-03-29T00:30:00Z"}
    first = await studio.booking(
        stage, camera, status="held", title=FORMULA, customer=ADA, notes="canary note",
        attributes={"crew": 12}, **night,
    )  # fmt: skip
    amended = await studio.patch(
        f"/v1/bookings/{first['id']}", {"customer": BOB, "notes": "canary too", "reference": "-7"}
    )
    assert amended.status_code == 200, amended.text
    second = await studio.booking(
        stage, customer=BOB,
        start_time="2037-04-01T08:00:00.000001Z", end_time="2037-04-01T09:00:00Z",
    )  # fmt: skip
    await studio.post(f"/v1/bookings/{second['id']}/cancel", {"reason": "Rain"})
    await studio.booking(camera, start_time="2037-04-30T22:00:00Z", end_time="2037-05-02T22:00:00Z")
    for path, wanted in [
        (f"bookings/{second['id']}/reschedule", {
            "start_time": f"{NEXT_JUNE}T23:00:00Z", "end_time": f"{NEXT_JUNE}T23:30:00Z",
        }),
        (f"resources/{camera}/retire", {}),
        (f"resources/{camera}/retire", {}),
    ]:  # fmt: skip
        answer = await studio.post(f"/v1/{path}", wanted)
    assert answer.status_code == 409, answer.text
    history = (await studio.get(f"/v1/bookings/{second['id']}/history")).json()["items"]
    key_id = UUID(cast("str", history[0]["data"]["customer"]["key_id"]))
    forgotten = await studio.post(f"/v1/customers/{key_id}/forget", {"reason": "Asked"})
    assert forgotten.status_code == 200, forgotten.text
