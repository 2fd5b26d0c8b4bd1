"""A tenant with a key, a pool as the API has it, and a clock that stands still."""

from collections.abc import AsyncIterator

import psycopg
import pytest

from infra.access import create_api_key, create_tenant
from infra.database import Database
from infra.postgres.pool import Pool, open_pool


class Clock:
    """Stands still until told otherwise."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[Pool]:
    opened = await open_pool(database.runtime_dsn, role="booking_api")
    yield opened
    await opened.close()


@pytest.fixture
def key(database: Database) -> str:
    with psycopg.connect(database.owner_dsn) as conn:
        create_tenant(conn, "babelsberg", "Studio Babelsberg")
        return create_api_key(conn, "babelsberg", "admin")
