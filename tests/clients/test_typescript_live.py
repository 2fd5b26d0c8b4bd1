"""The TypeScript client and socket.io-client against the real server, which runs in the test."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial

import psycopg
import pytest

from infra.access import issue_api_key
from infra.database import Database
from infra.live import Feed
from scripts.client_types import CLIENT
from tests.clients.node import run_node, run_node_tests
from tests.live.serving import LiveStudio, served

BRIEF_SECONDS = 2


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Heartbeats, and looks at tokens, come so often that nobody has to wait for one."""
    monkeypatch.setattr("api.bootstrap.Feed", partial(Feed, heartbeat_seconds=0.1))
    monkeypatch.setattr("api.live.sockets.CHECK_SECONDS", 0.1)


@asynccontextmanager
async def maker_of_brief_keys(database: Database, studio: LiveStudio) -> AsyncIterator[int]:
    """A port where whoever connects is given a key that ends soon, and nothing else."""

    async def give(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        expires_at = datetime.now(UTC) + timedelta(seconds=BRIEF_SECONDS)
        with psycopg.connect(database.owner_dsn) as conn:
            issued = issue_api_key(conn, studio.slug, "viewer", expires_at=expires_at)
        writer.write(issued.secret.encode())
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(give, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.usefixtures("often")
async def test_it_follows_what_happens(database: Database) -> None:
    async with (
        served(database) as serving,
        serving.studio() as studio,
        maker_of_brief_keys(database, studio) as key_maker,
    ):
        await run_node_tests(
            "test/server/live.test.ts",
            BOOKING_URL=serving.address,
            BOOKING_KEY=studio.keys["admin"],
            BOOKING_KEY_MAKER=str(key_maker),
        )


async def test_the_example_of_its_readme(database: Database) -> None:
    example = CLIENT / "examples" / "calendar.ts"
    shown = (CLIENT / "README.md").read_text(encoding="utf-8")
    assert f"```ts\n{example.read_text(encoding='utf-8')}```" in shown
    async with served(database) as serving, serving.studio() as studio:
        printed = await run_node(
            str(example), BOOKING_URL=serving.address, BOOKING_KEY=studio.keys["admin"]
        )
    assert printed == "booking.booked 2027-03-01T08:00:00Z\nbooking.cancelled\n"
