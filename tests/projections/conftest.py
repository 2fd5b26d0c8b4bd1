"""A tenant's resources and claims, written as the owner; read as the runtime's role."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

import psycopg
import pytest
import pytest_asyncio
from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg.types.json import Jsonb
from pydantic import JsonValue

from domain.ids import BookingId, ResourceId, TenantId
from infra.access import create_tenant
from infra.database import Database
from infra.postgres.pool import Pool, open_pool, reading


@dataclass(frozen=True)
class Studio:
    """One tenant, and the rows that its events would have left."""

    owner: psycopg.Connection
    pool: Pool
    tenant_id: TenantId

    def reading(self) -> AbstractAsyncContextManager[AsyncConnection[TupleRow]]:
        return reading(self.pool, self.tenant_id)

    def has_resource(
        self,
        name: str = "Stage 1",
        *,
        kind: str = "stage",
        retired: bool = False,
        resource_id: UUID | None = None,
        attributes: dict[str, JsonValue] | None = None,
        position: int = 1,
    ) -> ResourceId:
        resource_id = resource_id or uuid4()
        self.owner.execute(
            """
            insert into booking.resource (tenant_id, resource_id, name, kind, timezone, attributes,
                                          retired, version, position, created_at, updated_at)
            values (%s, %s, %s, %s, 'Europe/Vienna', %s, %s, 1, %s,
                    clock_timestamp(), clock_timestamp())
            """,
            [
                self.tenant_id,
                resource_id,
                name,
                kind,
                Jsonb(attributes or {}),
                retired,
                position,
            ],
        )
        return ResourceId(resource_id)

    def has_claim(
        self,
        resource_id: ResourceId,
        start: datetime,
        end: datetime,
        *,
        held: bool = False,
        expires_in: str | None = None,
        booking_id: UUID | None = None,
    ) -> BookingId:
        """Claim it; a hold expires that far from the database's now (an SQL interval)."""
        booking_id = booking_id or uuid4()
        self.owner.execute(
            """
            insert into booking.reservation (tenant_id, resource_id, booking_id, start_time,
                                             end_time, status, hold_expires_at)
            values (%s, %s, %s, %s, %s, %s, clock_timestamp() + %s::interval)
            """,
            [
                self.tenant_id,
                resource_id,
                booking_id,
                start,
                end,
                "held" if held or expires_in else "confirmed",
                expires_in,
            ],
        )
        return BookingId(booking_id)

    def forgets(self, bookings: Sequence[BookingId]) -> None:
        self.owner.execute(
            "delete from booking.reservation where tenant_id = %s and booking_id = any (%s)",
            [self.tenant_id, list(bookings)],
        )


@pytest.fixture
def owner(database: Database) -> Iterator[psycopg.Connection]:
    # VACUUM takes no row for visible to all before its commit is flushed, which it never waits for.
    flushed = "-c synchronous_commit=on"
    with psycopg.connect(database.owner_dsn, autocommit=True, options=flushed) as conn:
        yield conn


@pytest_asyncio.fixture
async def pool(database: Database) -> AsyncIterator[Pool]:
    pool = await open_pool(database.runtime_dsn, role="booking_api", max_size=2)
    yield pool
    await pool.close()


@pytest.fixture
def studio(owner: psycopg.Connection, pool: Pool) -> Studio:
    return Studio(owner, pool, create_tenant(owner, "studio", "A studio"))


@pytest.fixture
def neighbour(owner: psycopg.Connection, pool: Pool) -> Studio:
    return Studio(owner, pool, create_tenant(owner, "neighbour", "Another studio"))
