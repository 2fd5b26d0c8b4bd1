"""A feed beside an engine, each as it runs in a server, and a studio that books."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from infra.database import Database
from infra.engine import RunningEngine, running_engine
from infra.live import Feed
from infra.master_key import MasterKey
from infra.telemetry.metrics import Metrics
from tests.engine.conftest import Studio, make_tenant


@asynccontextmanager
async def feed_of(running: RunningEngine, database: Database) -> AsyncIterator[Feed]:
    """A feed as another process would have it: nobody tells it of the engine's commits."""
    feed = Feed(running.pool, running.rounds, poll_seconds=1, heartbeat_seconds=0.1)
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
