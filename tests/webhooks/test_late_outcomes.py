"""Whoever comes too late with an outcome is not listened to: another has the message."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

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
from tests.webhooks.conftest import hook

LATE = [Posted(410, "status", 20_000), Posted(500, "status", 20_000)]


@pytest.mark.parametrize("late", LATE, ids=["gone", "failing"])
async def test_a_late_failure_says_nothing_of_an_endpoint(
    studio: Studio, database: Database, master_key: MasterKey, late: Posted
) -> None:
    made = await hook(studio, "http://hooks.example/")
    await studio.resource()
    [event] = (await studio.get("/v1/events")).json()["items"]
    line = Line(TenantId(UUID(event["source"].rsplit("/", 1)[1])), UUID(made.id))
    now = datetime.now(UTC)
    kept = await asyncio.to_thread(open_secrets, database.runtime_dsn, master_key)
    sealing = SecretSealing(kept.webhook_secret_sealing)
    pool = await open_pool(database.runtime_dsn, role="booking_projector", max_size=1)
    async with pool, pool.connection() as conn:
        await make_messages(conn, line)
        slow = await take(conn, line, sealing, 1, timedelta(0))
        other = await take(conn, line, sealing, 1)
        assert slow is not None
        assert other is not None
        delivered = await record(conn, line, other.messages[0], Posted(204, None, 20), now)
        assert delivered is not None
        assert delivered.state == "delivered"
        assert await record(conn, line, slow.messages[0], late, now) is None
    told = await made.read()
    assert (told["enabled"], told["failing_since"], told["notices"]) == (True, None, [])
    assert (await made.delivery(1))["state"] == "delivered"
