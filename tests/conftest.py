"""Real PostgreSQL servers for the tests, and for each test a freshly migrated database of its own.

    postgres    a server for the whole session, once for each version at hand (the embedded one
                always, PostgreSQL 15 where /usr/lib/postgresql/15/bin or BOOKING_TEST_POSTGRES_15
                has it)
    database    an empty, migrated database: owner's and runtime's connection strings
    pool        connections to it as the API has them
    redis       a Redis server for the whole session, emptied for each test; it is theirs to break

`pytest --postgres embedded` (or `15`) keeps to one version while working on something.
"""

import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from redis import Redis

from infra.database import Database
from infra.postgres.embedded import DATABASE, MIGRATOR, RUNTIME, SUPERUSER, EmbeddedPostgres
from infra.postgres.migrator import migrate
from infra.postgres.pool import Pool, open_pool
from tests.database_stock import DatabaseStock
from tests.redis_server import RedisServer
from tests.scratch import scratch_directory

POSTGRES_15 = Path(os.environ.get("BOOKING_TEST_POSTGRES_15", "/usr/lib/postgresql/15/bin"))
PROGRAMS: dict[str, Path | None] = {"embedded": None, "15": POSTGRES_15}

# Tests lose nothing worth keeping when the machine does: no waiting for its disk.
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--postgres",
        choices=["all", *PROGRAMS],
        default="all",
        help="the PostgreSQL to test on (default: every one at hand)",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "postgres_version" in metafunc.fixturenames:
        wanted = metafunc.config.getoption("--postgres")
        at_hand = [
            version for version, where in PROGRAMS.items() if where is None or where.exists()
        ]
        chosen = at_hand if wanted == "all" else [wanted]
        if metafunc.definition.get_closest_marker("on_one_postgres") is not None:
            chosen = chosen[:1]
        metafunc.parametrize(
            "postgres_version", chosen, ids=[f"pg-{version}" for version in chosen], scope="session"
        )


@dataclass(frozen=True)
class Server:
    """A running server, and copies of the migrated database in it."""

    postgres: EmbeddedPostgres
    stock: DatabaseStock


@pytest.fixture(scope="session")
def postgres_programs(postgres_version: str) -> Path | None:
    return PROGRAMS[postgres_version]


@pytest.fixture(scope="session")
def server(postgres_programs: Path | None) -> Iterator[Server]:
    with (
        scratch_directory("booking-test-") as directory,
        EmbeddedPostgres(Path(directory) / "postgres", postgres_programs, settings=FAST) as running,
    ):
        migrate(running.dsn(MIGRATOR))
        superuser = running.dsn(SUPERUSER, database="postgres")
        with DatabaseStock(superuser, template=DATABASE, owner=MIGRATOR) as stock:
            yield Server(running, stock)


@pytest.fixture(scope="session")
def postgres(server: Server) -> EmbeddedPostgres:
    return server.postgres


@contextmanager
def fresh_database(server: Server) -> Iterator[Database]:
    """An empty, migrated database for as long as it is needed."""
    name = server.stock.take()
    yield Database(
        runtime_dsn=server.postgres.dsn(RUNTIME, database=name),
        owner_dsn=server.postgres.dsn(MIGRATOR, database=name),
    )
    server.stock.give_back(name)


@pytest.fixture
def database(server: Server) -> Iterator[Database]:
    with fresh_database(server) as fresh:
        yield fresh


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[Pool]:
    opened = await open_pool(database.runtime_dsn, role="booking_api")
    yield opened
    await opened.close()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    with tempfile.TemporaryDirectory(prefix="booking-redis-") as directory:
        server = RedisServer(Path(directory))
        server.start()
        yield server
        server.kill()


@pytest.fixture
def redis(redis_server: RedisServer) -> RedisServer:
    with Redis.from_url(redis_server.url) as client:
        client.flushall()
    return redis_server
