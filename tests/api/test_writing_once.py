"""Webhook endpoints and public links are made once under a key, however often that is asked."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import psycopg
import pytest
from httpx import Response
from psycopg.rows import TupleRow
from pydantic import JsonValue

from infra.database import Database
from infra.webhooks.endpoints import MOST_ENDPOINTS
from tests.api.conftest import Studio, assert_problem, new_booking, pointers

ENDPOINTS = "/v1/webhook-endpoints"
WANTED: dict[str, JsonValue] = {"url": "https://hooks.example/bookings"}
Paths = dict[str, str]


def rows(database: Database, query: str) -> list[TupleRow]:
    with psycopg.connect(database.owner_dsn) as owner:
        return owner.execute(query.encode()).fetchall()


def endpoints_in(database: Database) -> int:
    [(found,)] = rows(database, "select count(*) from booking.webhook_endpoint")
    return int(found)


@pytest.fixture
async def paths(studio: Studio, database: Database) -> Paths:
    """Of an endpoint that was sent the first event, and of a resource that has a link."""
    stage = await studio.resource()
    endpoint = (await studio.post(ENDPOINTS, WANTED)).headers["location"]
    link = f"/v1/resources/{stage}/public-link"
    assert (await studio.post(link)).status_code == 200
    return {"endpoint": endpoint, "link": link}


# The method and path, a body, and another one; or another path where there is no body.
WRITES: list[tuple[str, str, JsonValue, JsonValue | str]] = [
    ("POST", ENDPOINTS, WANTED, WANTED | {"description": "Other"}),
    ("POST", "{endpoint}/rotate-secret", {"overlap_hours": 1}, {"overlap_hours": 2}),
    ("PATCH", "{endpoint}", {"enabled": False}, {"enabled": True}),
    ("POST", "{endpoint}/replay", {"after": 0, "until": 1}, {"after": 0, "until": 2}),
    ("POST", "{endpoint}/deliveries/1/replay", None, "{endpoint}/deliveries/2/replay"),
    ("DELETE", "{endpoint}", None, "{link}"),
    ("POST", "{link}", None, {}),
    ("DELETE", "{link}", None, "{endpoint}"),
]


@pytest.mark.parametrize(
    ("method", "path", "body", "other"), WRITES, ids=[f"{each[0]} {each[1]}" for each in WRITES]
)
async def test_a_write_is_done_once(
    studio: Studio, paths: Paths, method: str, path: str, body: JsonValue, other: JsonValue | str
) -> None:
    async def send(path: str, body: JsonValue, key: str = "k") -> Response:
        return await studio.client.request(
            method, path.format(**paths), json=body, headers={"Idempotency-Key": key}
        )

    first = await send(path, body)
    assert first.is_success, first.text
    assert "idempotent-replayed" not in first.headers
    again = await send(path, body, '"k"')
    assert again.headers.pop("idempotent-replayed") == "true"
    assert (again.status_code, again.content) == (first.status_code, first.content)
    for name in ("location", "content-type", "content-length"):
        assert again.headers.get(name) == first.headers.get(name)

    another = await (send(other, None) if isinstance(other, str) else send(path, other))
    problem = assert_problem(another, 422, "idempotency-key-reused")
    assert pointers(problem) == ["/header/Idempotency-Key"]
    assert_problem(await send(path, body, "k" * 256), 422, "validation-failed")


async def test_what_was_answered_is_answered_whatever_has_happened_since(
    studio: Studio, database: Database
) -> None:
    first = await studio.post(ENDPOINTS, WANTED, Idempotency_Key="k")
    assert (await studio.client.delete(first.headers["location"])).status_code == 204
    again = await studio.post(ENDPOINTS, WANTED, Idempotency_Key="k")
    assert again.content == first.content
    assert endpoints_in(database) == 0


@asynccontextmanager
async def held_up(database: Database) -> AsyncIterator[Callable[[int], object]]:
    """Nobody can write endpoints; gives what waits until so many are held up by a lock."""
    query = "select count(*) from pg_locks where not granted and database = %s::regclass::oid"
    query = """
        select count(*)
          from pg_stat_activity
         where datname = current_database() and wait_event_type = 'Lock'
    """

    async def held(number: int) -> None:
        while rows(database, query) != [(number,)]:  # noqa: ASYNC110 - another process is asked
            await asyncio.sleep(0.01)

    async with await psycopg.AsyncConnection.connect(database.owner_dsn) as owner:
        await owner.execute("lock table booking.webhook_endpoint in share row exclusive mode")
        yield held
