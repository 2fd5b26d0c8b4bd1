"""A directory on real PostgreSQL, and the tables behind it as their owner sees them."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from itertools import count

import psycopg
import pytest
from psycopg.rows import DictRow, dict_row

from infra.access import Role
from infra.access.sign_in import SignIn
from infra.database import Database
from infra.people import Directory, running_directory

ISSUER = "https://clerk.example"
START = datetime(2027, 3, 1, tzinfo=UTC)

Rows = Callable[[str], list[DictRow]]
deliveries = count(1)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def sign_in(
    subject: str = "user_ada",
    organisation: str = "org_nova",
    *,
    role: Role = "booker",
    seconds: float = 0,
    slug: str | None = "nova",
    impersonator: str | None = None,
) -> SignIn:
    return SignIn(ISSUER, subject, organisation, slug, role, at(seconds), impersonator)


def delivery_id() -> str:
    return f"msg_{next(deliveries)}"


@pytest.fixture
async def directory(database: Database) -> AsyncIterator[Directory]:
    async with running_directory(database.runtime_dsn) as running:
        yield running


@pytest.fixture
def rows(database: Database) -> Rows:
    def read(query: str) -> list[DictRow]:
        with psycopg.connect(database.owner_dsn, row_factory=dict_row) as owner:
            return owner.execute(query.encode()).fetchall()

    return read
