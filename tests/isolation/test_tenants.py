"""A tenant of the engine: what is another's is to it as if it were not there."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg import sql

from domain.commands import Confirm, Reschedule, RetireResource
from domain.customer import Customer
from domain.ids import BookingId, TenantId
from infra.database import Database
from infra.engine import CommandRequest, Refused, RunningEngine
from infra.errors import NotFound
from infra.postgres.pool import set_tenant
from tests.engine.conftest import Studio, book, keyed, make_tenant


@dataclass
class Two:
    """Two tenants with a booking each."""

    a: Studio
    b: Studio
    database: Database

    def as_api(self, tenant_id: TenantId | None) -> psycopg.Connection:
        """A connection as the API's role, speaking for a tenant or for none."""
        conn = psycopg.connect(self.database.runtime_dsn)
        conn.execute("set role booking_api")
        if tenant_id is not None:
            conn.execute("select set_config('app.tenant_id', %s, false)", [str(tenant_id)])
        conn.commit()
        return conn


@pytest.fixture
async def two(running: RunningEngine, database: Database) -> Two:
    studios = []
    for slug in ("a", "b"):
        studio = Studio(running.engine, make_tenant(database, slug), database.owner_dsn)
        stage = await studio.resource()
        booking = book(stage, customer=Customer("c"), status="held")
        await studio.engine.execute(studio.caller, keyed(booking, "k"))
        studios.append(studio)
    return Two(studios[0], studios[1], database)


def rows(conn: psycopg.Connection, table: str) -> list[tuple[object, ...]]:
    query = sql.SQL("select * from booking.{}").format(sql.Identifier(table))
    return conn.execute(query).fetchall()


async def test_no_constraint_lets_a_tenant_feel_another(two: Two, database: Database) -> None:
    """A takes for itself the very ids, keys and slots that B has."""
    with psycopg.connect(database.owner_dsn) as owner:
        (theirs,) = owner.execute(
            "select booking_id, resource_id, start_time from booking.reservation"
            " where tenant_id = %s",
            [two.b.tenant_id],
        ).fetchall()
    booking_id, resource_id, start_time = theirs
    with two.as_api(two.a.tenant_id) as api:
        api.execute(
            """
            insert into booking.reservation (
                tenant_id, resource_id, booking_id, start_time, end_time, status)
            values (%s, %s, %s, %s, %s, 'confirmed')
            """,
            [
                two.a.tenant_id,
                resource_id,
                booking_id,
                start_time,
                start_time + timedelta(hours=1),
            ],
        )
        api.rollback()
    again = await two.a.engine.execute(two.a.caller, keyed(book(resource_id), "theirs"))
    assert isinstance(again, Refused)  # unknown to A, whatever B has


async def test_another_tenants_things_are_absent(two: Two) -> None:
    with psycopg.connect(two.database.owner_dsn) as owner:
        (theirs,) = owner.execute(
            "select booking_id, resource_id from booking.reservation where tenant_id = %s",
            [two.b.tenant_id],
        ).fetchall()
    booking_id, resource_id = theirs
    for command in (
        Confirm(booking_id=booking_id, reason=None),
        Reschedule(
            booking_id=booking_id,
            start_time=datetime(2028, 1, 1, tzinfo=UTC),
            end_time=datetime(2028, 1, 2, tzinfo=UTC),
            resource_ids=None,
        ),
        RetireResource(resource_id=resource_id),
    ):
        result = await two.a.engine.execute(two.a.caller, CommandRequest(command))
        assert isinstance(result, Refused)
        assert isinstance(result.error, NotFound)
    assert await two.a.engine.booking(two.a.tenant_id, BookingId(booking_id)) is None
    assert await two.a.engine.resource(two.a.tenant_id, resource_id) is None


async def test_a_tenant_cannot_append_to_anothers_log(two: Two) -> None:
    """The function speaks for the tenant that it is told, until the transaction ends."""
    with two.as_api(two.a.tenant_id) as api:
        api.execute(
            "select * from booking.append_batch(%s::text::jsonb, '{}')",
            [f'{{"{two.b.tenant_id}": [{{"expect": {{}}}}]}}'],
        )
        assert rows(api, "event")  # inside the transaction it speaks for B: that is its one job
        api.commit()
        assert {row[0] for row in rows(api, "event")} == {two.a.tenant_id}


async def test_a_reading_connection_forgets_its_tenant(running: RunningEngine, two: Two) -> None:
    async with running.pool.connection() as conn:
        async with conn.transaction():
            await set_tenant(conn, two.a.tenant_id)
            assert await (await conn.execute("select from booking.event")).fetchall()
        assert not await (await conn.execute("select from booking.event")).fetchall()
