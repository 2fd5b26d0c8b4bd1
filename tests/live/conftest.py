"""A feed beside an engine, each as it runs in a server, and a studio that books."""

import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio

from infra.database import Database
from infra.engine import RunningEngine, running_engine
from infra.live import Feed
from infra.master_key import MasterKey
from infra.telemetry.metrics import Metrics
from tests.conftest import Server, fresh_database
from tests.engine.conftest import Studio, make_tenant
from tests.live.serving import LiveStudio, Served, served


@asynccontextmanager
async def feed_of(
    running: RunningEngine, database: Database, poll_seconds: float = 1
) -> AsyncIterator[Feed]:
    """A feed as another process would have it: nobody tells it of the engine's commits."""
    feed = Feed(running.pool, running.rounds, poll_seconds=poll_seconds, heartbeat_seconds=0.1)
    async with feed.running(database.runtime_dsn):
        yield feed


@pytest.fixture
async def running(database: Database) -> AsyncIterator[RunningEngine]:
    master_key = MasterKey(secrets.token_bytes(32))
    async with running_engine(database.runtime_dsn, master_key, Metrics()) as engine:
        yield engine


@pytest.fixture
def studio(running: RunningEngine, database: Database) -> Studio:
    return Studio(running.engine, make_tenant(database, "nova"), database.owner_dsn)


@pytest.fixture
async def feed(running: RunningEngine, database: Database) -> AsyncIterator[Feed]:
    async with feed_of(running, database) as feed:
        yield feed


@pytest.fixture(scope="module")
def live_database(server: Server) -> Iterator[Database]:
    with fresh_database(server) as database:
        yield database


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def serving(live_database: Database) -> AsyncIterator[Served]:
    """A server for the tests of a module, which run in its loop."""
    async with served(live_database) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def planners(serving: Served) -> AsyncIterator[LiveStudio]:
    """A studio of the test's own."""
    async with serving.studio() as studio:
        yield studio


@pytest_asyncio.fixture(loop_scope="module")
async def others(serving: Served) -> AsyncIterator[LiveStudio]:
    """Another one."""
    async with serving.studio() as studio:
        yield studio
