"""Processes that share a database and a Redis, and one that keeps nothing, to compare with."""

import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

import pytest
from httpx import Response

from api.app import build_app
from api.bootstrap import running_services
from api.guards import Guards
from api.services import Services, provide
from infra.cache import running
from infra.database import Database
from infra.master_key import MasterKey
from tests.api.conftest import Studio, make_studio
from tests.redis_server import RedisServer

WINDOW = "from=2027-03-01T00:00:00Z&to=2027-03-08T00:00:00Z"


@dataclass
class Process:
    """One process, and a client of it."""

    services: Services
    studio: Studio

    def looks(self, kind: str, layer: str, outcome: str) -> int:
        """How often an answer was, or was not, found in a layer."""
        name = f'booking_cache_looks_total{{kind="{kind}",layer="{layer}",outcome="{outcome}"}} '
        for line in self.services.metrics.exposition().decode().splitlines():
            if line.startswith(name):
                return int(float(line.removeprefix(name)))
        return 0

    async def get(self, path: str, **headers: str) -> Response:
        return await self.studio.get(path, **headers)


@dataclass
class World:
    """Two processes that keep answers, one that has no memory of its own, and one without any."""

    processes: Sequence[Process]
    forgetful: Process
    plain: Process
    redis: RedisServer

    @property
    def studio(self) -> Studio:
        return self.processes[0].studio


@asynccontextmanager
async def world_of(database: Database, redis: RedisServer) -> AsyncIterator[World]:
    master_key = MasterKey(secrets.token_bytes(32))
    studio: Studio | None = None
    processes: list[Process] = []
    async with AsyncExitStack() as stack:
        for megabytes, url in ((1, redis.url), (1, redis.url), (0, redis.url), (0, None)):
            services = await stack.enter_async_context(
                running_services(
                    database.runtime_dsn,
                    master_key,
                    connections=4,
                    cache_megabytes=megabytes,
                    guards=Guards(redis_url=url),
                )
            )
            app = build_app()
            provide(app, services)
            if studio is None:
                studio = make_studio(database, app, "nova")
            own = replace(studio, app=app)
            processes.append(Process(services, own))
        yield World(processes[:2], processes[2], processes[3], redis)


@pytest.fixture
async def world(
    database: Database, redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[World]:
    monkeypatch.setattr(running, "REST_SECONDS", 0.05)
    async with world_of(database, redis) as world:
        yield world
