"""A tenant sees, changes and feels only its own rows: asked of every table there is."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg import sql

from domain.commands import Confirm, Reschedule, RetireResource
from domain.customer import Customer
from domain.ids import BookingId, TenantId
from infra.access import create_api_key
from infra.database import Database
from infra.engine import CommandRequest, Refused, RunningEngine
from infra.errors import NotFound
from infra.postgres.pool import set_tenant
from tests.engine.conftest import Studio, book, keyed, make_tenant

UNDER_POLICY = """
    select relname
      from pg_class
     where relnamespace = 'booking'::regnamespace and relkind = 'r'
       and relname not in ('migration', 'function_file')
     order by relname
"""


@dataclass
class Two:
    """Two tenants with rows in every table."""

    a: Studio
    b: Studio
    database: Database

    def tables(self) -> list[str]:
        with psycopg.connect(self.database.owner_dsn) as owner:
            return [name for (name,) in owner.execute(UNDER_POLICY)]

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
        with psycopg.connect(database.owner_dsn, autocommit=True) as owner:
            create_api_key(owner, slug, "admin")
        studios.append(studio)
    return Two(studios[0], studios[1], database)


def rows(conn: psycopg.Connection, table: str) -> list[tuple[object, ...]]:
    query = sql.SQL("select * from booking.{}").format(sql.Identifier(table))
    return conn.execute(query).fetchall()


def test_every_table_has_row_level_security_and_the_tenant_in_every_key(two: Two) -> None:
    with psycopg.connect(two.database.owner_dsn) as owner:
        unprotected = owner.execute(
            """
            select relname
              from pg_class
             where relnamespace = 'booking'::regnamespace and relkind in ('r', 'p', 'v', 'm')
               and relname not in ('migration', 'function_file') and not relrowsecurity
            """
        ).fetchall()
        for_everybody = owner.execute(
            "select tablename, policyname from pg_policies where schemaname = 'booking'"
            " and 'public' = any (roles)"
        ).fetchall()
        without_tenant = owner.execute(
            """
            select conname
              from pg_constraint
              join pg_attribute on attrelid = conrelid and attname = 'tenant_id'
             where connamespace = 'booking'::regnamespace and contype in ('p', 'u', 'x')
               and not attnum = any (conkey)
            """
        ).fetchall()
    assert unprotected == []
    assert for_everybody == []
    # A slug is chosen by whoever runs the installation, never by a tenant.
    assert without_tenant == [("tenant_slug_taken",)]


def test_with_no_tenant_set_nothing_is_seen_or_written(two: Two) -> None:
    tables = two.tables()
    assert len(tables) >= 8
    with psycopg.connect(two.database.owner_dsn) as owner, two.as_api(None) as api:
        for table in tables:
            assert rows(owner, table), f"the test needs rows in {table}"
            assert rows(api, table) == []
        api.rollback()
        for table in tables:
            with pytest.raises((psycopg.errors.InsufficientPrivilege, NothingWritten)):
                change_a_row(api, table, two.a.tenant_id)
            api.rollback()
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                put_in_a_copy(api, owner, table, two.a.tenant_id)
            api.rollback()


class NothingWritten(Exception):
    """The statement ran and found no row to change."""


def change_a_row(api: psycopg.Connection, table: str, tenant_id: TenantId) -> None:
    """Try to change the tenant's rows."""
    name = sql.Identifier(table)
    updated = api.execute(
        sql.SQL("update booking.{} set tenant_id = tenant_id where tenant_id = %s").format(name),
        [tenant_id],
    )
    if updated.rowcount == 0:
        raise NothingWritten
    raise AssertionError(f"{updated.rowcount} rows of {table} were changed")


def delete_rows(api: psycopg.Connection, table: str, tenant_id: TenantId) -> None:
    """Try to delete the tenant's rows."""
    deleted = api.execute(
        sql.SQL("delete from booking.{} where tenant_id = %s").format(sql.Identifier(table)),
        [tenant_id],
    )
    if deleted.rowcount == 0:
        raise NothingWritten
    raise AssertionError(f"{deleted.rowcount} rows of {table} were deleted")


def put_in_a_copy(
    api: psycopg.Connection, owner: psycopg.Connection, table: str, tenant_id: TenantId
) -> None:
    """Try to insert what one of the tenant's rows says already."""
    name = sql.Identifier(table)
    found = owner.execute(
        sql.SQL("select to_jsonb(r)::text from booking.{} r where tenant_id = %s").format(name),
        [tenant_id],
    ).fetchone()
    assert found is not None, table
    api.execute(
        sql.SQL(
            "insert into booking.{} select *"
            " from jsonb_populate_record(null::booking.{}, %s::jsonb)"
        ).format(name, name),
        [found[0]],
    )


def test_a_tenant_reads_only_its_own_rows(two: Two) -> None:
    with two.as_api(two.a.tenant_id) as api:
        for table in two.tables():
            if table == "api_key":  # found by the secret's hash alone
                continue
            seen = rows(api, table)
            assert seen, table
            assert {row[0] for row in seen} == {two.a.tenant_id}


def test_a_tenant_changes_no_row_of_another(two: Two) -> None:
    with two.as_api(two.a.tenant_id) as api:
        for table in two.tables():
            with pytest.raises((psycopg.errors.InsufficientPrivilege, NothingWritten)):
                change_a_row(api, table, two.b.tenant_id)
            api.rollback()
            with pytest.raises((psycopg.errors.InsufficientPrivilege, NothingWritten)):
                delete_rows(api, table, two.b.tenant_id)
            api.rollback()


def test_a_tenant_puts_no_row_in_for_another(two: Two) -> None:
    """The policy answers before any constraint: a copy of a row that stands tells nothing of it."""
    with two.as_api(two.a.tenant_id) as api, psycopg.connect(two.database.owner_dsn) as owner:
        for table in two.tables():
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                put_in_a_copy(api, owner, table, two.b.tenant_id)
            api.rollback()


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


async def test_the_background_role_sees_only_what_it_needs(two: Two) -> None:
    with psycopg.connect(two.database.runtime_dsn) as conn:
        conn.execute("set role booking_background")
        conn.commit()
        for table in two.tables():
            if table in ("reservation", "receipt"):
                assert {row[0] for row in rows(conn, table)} == {two.a.tenant_id, two.b.tenant_id}
            else:
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    rows(conn, table)
            conn.rollback()


async def test_a_reading_connection_forgets_its_tenant(running: RunningEngine, two: Two) -> None:
    async with running.pool.connection() as conn:
        async with conn.transaction():
            await set_tenant(conn, two.a.tenant_id)
            assert await (await conn.execute("select from booking.event")).fetchall()
        assert not await (await conn.execute("select from booking.event")).fetchall()
