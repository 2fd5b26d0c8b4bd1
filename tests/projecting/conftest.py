"""A tenant with a wandering caller, and runners as many as are asked for."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import psycopg
import pytest

from infra.database import Database
from infra.postgres.pool import Pool, open_pool
from infra.projecting import ProjectionRunner
from projections.asynchronous import Projection
from projections.bookings.projecting import BOOKINGS
from tests.engine.conftest import master_key, running, studio

__all__ = ["master_key", "running", "studio"]


@dataclass(frozen=True)
class Projecting:
    """What a test needs of the projections of one database."""

    pool: Pool
    owner_dsn: str

    def runner(self, *projections: Projection, events_at_once: int = 500) -> ProjectionRunner:
        return ProjectionRunner(
            self.pool, projections or [BOOKINGS], events_at_once=events_at_once, poll_seconds=0.2
        )

    def rows(self, query: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self.owner_dsn) as conn:
            return conn.execute(query.encode()).fetchall()

    def execute(self, statement: str) -> None:
        with psycopg.connect(self.owner_dsn) as conn:
            conn.execute(statement.encode())

    @property
    def bookings(self) -> list[tuple[object, ...]]:
        """The rows that are read, without the build that they are of."""
        return self.rows(
            """
            select row_number() over (order by row), row
              from (select (to_jsonb(bookings) - 'generation')::text as row
                      from booking.bookings
                      join booking.projection_checkpoint using (tenant_id, generation)
                     where projection = 'bookings' and is_live
                    union all
                    select (to_jsonb(bookings_resource) - 'generation')::text
                      from booking.bookings_resource
                      join booking.projection_checkpoint using (tenant_id, generation)
                     where projection = 'bookings' and is_live) all_rows
             order by 1
            """
        )


@pytest.fixture
async def projecting(database: Database) -> AsyncIterator[Projecting]:
    pool = await open_pool(database.runtime_dsn, role="booking_projector", max_size=6)
    yield Projecting(pool, database.owner_dsn)
    await pool.close()
