"""The API in process, on a real engine and database, with a studio's keys and short ways to ask."""

import re
import secrets
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

import psycopg
import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient, Response
from pydantic import JsonValue
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs
from structlog.typing import EventDict

from api.app import build_app
from api.bootstrap import running_services
from api.services import Services, provide
from infra.access import ROLES, Role, create_api_key, create_tenant
from infra.database import Database
from infra.master_key import MasterKey
from infra.postgres.pool import open_pool
from infra.projecting import ProjectionRunner
from projections.catalogue import ASYNCHRONOUS

Json = dict[str, JsonValue]

DAY = "2027-03-01"


@dataclass
class Studio:
    """One tenant as its clients see it: a key for each role, and short ways to ask."""

    app: FastAPI
    keys: Mapping[Role, str]
    client: AsyncClient = field(init=False)

    def __post_init__(self) -> None:
        self.client = self.as_role("admin")

    def as_role(self, role: Role) -> AsyncClient:
        return self.with_key(self.keys[role])

    def with_key(self, key: str | None) -> AsyncClient:
        return AsyncClient(
            transport=ASGITransport(self.app),
            base_url="http://booking.test",
            headers={} if key is None else {"Authorization": f"Bearer {key}"},
        )

    async def get(self, path: str, **headers: str) -> Response:
        return await self.client.get(path, headers=_headers(headers))

    async def post(self, path: str, body: object = None, **headers: str) -> Response:
        return await self.client.post(path, json=body, headers=_headers(headers))

    async def patch(self, path: str, body: object, **headers: str) -> Response:
        return await self.client.patch(path, json=body, headers=_headers(headers))

    async def resource(self, name: str = "Stage A") -> str:
        answer = await self.post(
            "/v1/resources", {"name": name, "kind": "stage", "timezone": "Europe/Vienna"}
        )
        assert answer.status_code == 201, answer.text
        return cast("str", answer.json()["id"])

    async def booking(self, *resource_ids: str, **fields: JsonValue) -> Json:
        answer = await self.post("/v1/bookings", new_booking(resource_ids, **fields))
        assert answer.status_code == 201, answer.text
        return cast("Json", answer.json())


def new_booking(resource_ids: Sequence[str], /, **fields: JsonValue) -> Json:
    return {
        "resource_ids": list(resource_ids),
        "start_time": f"{DAY}T09:00:00Z",
        "end_time": f"{DAY}T10:00:00Z",
        "title": "Pilot",
        "status": "confirmed",
        **fields,
    }


def _headers(named: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in named.items()}


def assert_problem(answer: Response, status: int, name: str) -> Json:
    """Every error has the members of RFC 9457 and ours, whatever it is about."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = cast("Json", answer.json())
    assert problem["type"] == f"/problems/{name}"
    assert problem["status"] == status
    assert problem["request_id"]
    assert problem["title"]
    assert problem["detail"]
    shown = re.sub(r"(?<=/v1/calendar-feeds/).*(?=\.ics)", "***", answer.request.url.path)
    shown = re.sub(r"(?<=/v1/public/availability/).*?(?=(\.html)?$)", "***", shown)
    assert problem["instance"] == shown
    return problem


def pointers(problem: Json) -> list[str]:
    errors = cast("list[Mapping[str, str]]", problem["errors"])
    assert all(error["message"] for error in errors)
    return [error["pointer"] for error in errors]


@pytest.fixture
def log() -> Iterator[list[EventDict]]:
    """What is logged from here on, line by line."""
    with capture_logs(processors=[merge_contextvars]) as lines:
        yield lines


@pytest.fixture
async def services(database: Database) -> AsyncIterator[Services]:
    master_key = MasterKey(secrets.token_bytes(32))
    async with running_services(database.runtime_dsn, master_key, connections=6) as services:
        yield services


@pytest.fixture
def app(services: Services) -> FastAPI:
    app = build_app()
    provide(app, services)
    return app


def make_studio(database: Database, app: FastAPI, slug: str) -> Studio:
    with psycopg.connect(database.owner_dsn) as conn:
        create_tenant(conn, slug, slug.title())
        keys = {role: create_api_key(conn, slug, role) for role in ROLES}
    return Studio(app, keys)


@pytest.fixture
def studio(database: Database, app: FastAPI) -> Studio:
    return make_studio(database, app, "nova")


@pytest.fixture
def other_studio(database: Database, app: FastAPI) -> Studio:
    return make_studio(database, app, "orion")


@pytest.fixture
async def projector(database: Database) -> AsyncIterator[ProjectionRunner]:
    pool = await open_pool(database.runtime_dsn, role="booking_projector", max_size=3)
    yield ProjectionRunner(pool, ASYNCHRONOUS)
    await pool.close()
