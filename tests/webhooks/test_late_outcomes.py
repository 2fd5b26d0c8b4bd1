"""Whoever comes too late with an outcome is not listened to: another has the message."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from domain.ids import TenantId
from infra.database import Database
from infra.master_key import MasterKey
from infra.postgres.pool import open_pool
from infra.webhooks.line import Line
from infra.webhooks.messages import make_messages, record, take
from infra.webhooks.posting import Posted
from infra.webhooks.secrets import SecretSealing
from infra.wrapped_secrets import open_secrets
from tests.api.conftest import Studio
from tests.webhooks.conftest import Hook, hook

URL = "http://hooks.example/"
TAKEN = Posted(204, None, 20)
LATE = [Posted(410, "status", 20_000), Posted(500, "status", 20_000)]


NOW = datetime.now(UTC)

Conn = AsyncConnection[TupleRow]


@pytest.fixture
async def conn(database: Database) -> AsyncIterator[Conn]:
    pool = await open_pool(database.runtime_dsn, role="booking_projector", max_size=1)
    async with pool, pool.connection() as conn:
        yield conn


@pytest.fixture
async def sealing(database: Database, master_key: MasterKey) -> SecretSealing:
    kept = await asyncio.to_thread(open_secrets, database.runtime_dsn, master_key)
    return SecretSealing(kept.webhook_secret_sealing)


async def waiting_message(studio: Studio, conn: Conn) -> tuple[Hook, Line]:
    """Make an endpoint to which one message is to be sent."""
    made = await hook(studio, URL)
    await studio.resource()
    [event] = (await studio.get("/v1/events")).json()["items"]
    line = Line(TenantId(UUID(event["source"].rsplit("/", 1)[1])), UUID(made.id))
    await make_messages(conn, line)
    return made, line


@pytest.mark.parametrize("late", LATE, ids=["gone", "failing"])
async def test_a_late_failure_says_nothing_of_an_endpoint(
    studio: Studio, conn: Conn, sealing: SecretSealing, late: Posted
) -> None:
    made, line = await waiting_message(studio, conn)
    slow = await take(conn, line, sealing, 1, timedelta(0))
    other = await take(conn, line, sealing, 1)
    assert slow is not None
    assert other is not None
    delivered = await record(conn, line, URL, other.messages[0], TAKEN, NOW)
    assert delivered is not None
    assert delivered.state == "delivered"
    assert await record(conn, line, URL, slow.messages[0], late, NOW) is None
    told = await made.read()
    assert (told["enabled"], told["failing_since"], told["notices"]) == (True, None, [])
    assert (await made.delivery(1))["state"] == "delivered"


@pytest.mark.parametrize("late", LATE, ids=["gone", "failing"])
async def test_what_an_old_address_answers_says_nothing_of_the_new_one(
    studio: Studio, conn: Conn, sealing: SecretSealing, late: Posted
) -> None:
    made, line = await waiting_message(studio, conn)
    load = await take(conn, line, sealing, 1)
    assert load is not None
    await made.change(url=f"{URL}new")
    outcome = await record(conn, line, load.url, load.messages[0], late, NOW)
    assert outcome is not None
    assert (outcome.state, outcome.disabled) == ("waiting", None)
    told = await made.read()
    assert (told["enabled"], told["failing_since"], told["notices"]) == (True, None, [])


async def test_what_an_old_address_takes_says_nothing_of_the_new_one(
    studio: Studio, conn: Conn, sealing: SecretSealing
) -> None:
    made, line = await waiting_message(studio, conn)
    before = await take(conn, line, sealing, 1, timedelta(0))
    assert before is not None
    await made.change(url=f"{URL}new")
    failing = await take(conn, line, sealing, 1, timedelta(0))
    assert failing is not None
    assert await record(conn, line, failing.url, failing.messages[0], LATE[1], NOW) is not None
    since = (await made.read())["failing_since"]
    assert since is not None
    await studio.resource(name="Stage 2")
    await make_messages(conn, line)
    other = await take(conn, line, sealing, 1)
    assert other is not None
    assert await record(conn, line, before.url, other.messages[0], TAKEN, NOW) is not None
    assert (await made.read())["failing_since"] == since
    await made.change(url=URL)
    assert (await made.read())["failing_since"] is None
