"""Two tenants of a running engine, and the ways to look at their tables and to rebuild them."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import LiteralString
from uuid import UUID

import psycopg
import pytest
from psycopg import AsyncConnection, sql
from psycopg.rows import TupleRow

from domain.commands import RegisterResource
from domain.ids import BookingId, ResourceId
from infra.database import Database
from infra.engine import RunningEngine, running_engine
from infra.master_key import MasterKey
from infra.rebuilding import Rebuilt, Standing, Tenant, owner_session, rebuild, standings
from infra.telemetry.metrics import Metrics
from projections.catalogue import INLINE, InlineName
from tests.engine.conftest import HOUR, NINE, Studio, book, make_tenant

STAGE, CAMERA = ResourceId(UUID(int=0xA1)), ResourceId(UUID(int=0xA2))
B1, B2, B3 = (BookingId(UUID(int=number)) for number in (0xB1, 0xB2, 0xB3))
FAR = NINE.replace(year=2199)


@dataclass(frozen=True)
class Row:
    """A row as PostgreSQL prints it, and which version of it stands where."""

    text: str
    version: str
    place: str


@dataclass
class Tables:
    """One tenant's tables, as their owner sees them, and the work on them."""

    studio: Studio
    session: AsyncConnection[TupleRow]
    slug: str

    @property
    def tenant(self) -> Tenant:
        return Tenant(self.studio.tenant_id, self.slug)

    def rows(self, name: InlineName) -> list[Row]:
        query = sql.SQL(
            "select r::text, r.xmin::text, r.ctid::text from booking.{} r"
            " where tenant_id = %s order by r::text"
        ).format(sql.Identifier(name))
        with psycopg.connect(self.studio.owner_dsn) as owner:
            return [Row(*row) for row in owner.execute(query, [self.studio.tenant_id])]

    def texts(self, name: InlineName) -> list[str]:
        return [row.text for row in self.rows(name)]

    def execute(self, *statements: LiteralString) -> None:
        """Do something to the rows of `%(tenant)s` that no engine would."""
        names = {"tenant": self.studio.tenant_id, "stage": STAGE, "b1": B1, "b2": B2, "b3": B3}
        with psycopg.connect(self.studio.owner_dsn) as owner:
            for statement in statements:
                owner.execute(statement, names)

    async def look(self, name: InlineName) -> Standing:
        [standing] = await standings(self.session, self.tenant, [INLINE[name]])
        return standing

    async def rebuild(self, name: InlineName) -> Rebuilt:
        return await rebuild(self.session, self.tenant, INLINE[name])

    async def furnish(self) -> None:
        """Two resources and three bookings, with the same ids for every tenant."""
        for resource_id, name in ((STAGE, "Stage"), (CAMERA, "Camera")):
            await self.studio.accepted(
                RegisterResource(
                    resource_id=resource_id,
                    name=name,
                    kind="thing",
                    timezone="UTC",
                    attributes={"size": 1.5},
                )
            )
        bookings = [
            book(STAGE),
            book(STAGE, start=NINE + 2 * HOUR, status="held", hold_expires_at=FAR),
            book(STAGE, CAMERA, start=NINE + 4 * HOUR),
        ]
        for booking_id, command in zip((B1, B2, B3), bookings, strict=True):
            await self.studio.booked(replace(command, booking_id=booking_id))


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what is about to happen elsewhere."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


@pytest.fixture
async def running(database: Database) -> AsyncIterator[RunningEngine]:
    key = MasterKey(secrets.token_bytes(32))
    async with running_engine(database.runtime_dsn, key, Metrics()) as engine:
        yield engine


@pytest.fixture
async def session(database: Database) -> AsyncIterator[AsyncConnection[TupleRow]]:
    async with owner_session(database.owner_dsn) as conn:
        yield conn


@pytest.fixture
def studio(running: RunningEngine, database: Database) -> Studio:
    return Studio(running.engine, make_tenant(database, "studio"), database.owner_dsn)


@pytest.fixture
def tables(studio: Studio, session: AsyncConnection[TupleRow]) -> Tables:
    return Tables(studio, session, "studio")


@pytest.fixture
def neighbour(
    running: RunningEngine, database: Database, session: AsyncConnection[TupleRow]
) -> Tables:
    tenant_id = make_tenant(database, "neighbour")
    return Tables(Studio(running.engine, tenant_id, database.owner_dsn), session, "neighbour")
