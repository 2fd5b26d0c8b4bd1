"""What is read of the asynchronous projections, held against a fresh fold of the log."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace

import psycopg
import pytest
from psycopg import sql

from infra.database import Database
from infra.projecting.comparing import asynchronous_standings
from infra.projecting.step import Stepping
from infra.rebuilding import LogUnreadable, Standing, Tenant, owner_session
from projections.asynchronous import Batch, Projection
from projections.bookings.projecting import BOOKINGS
from projections.catalogue import ASYNCHRONOUS
from tests.engine.conftest import Studio, book
from tests.projecting.conftest import Projecting
from tests.rebuilding.wandering import Wanderer, going_on

TABLES = [(each.name, table) for each in ASYNCHRONOUS for table in each.tables]


async def compared(
    studio: Studio, projections: Sequence[Projection] = ASYNCHRONOUS
) -> dict[str, Standing]:
    async with owner_session(studio.owner_dsn) as conn:
        tenant = Tenant(studio.tenant_id, "studio")
        found = await asynchronous_standings(conn, tenant, projections)
        left = await conn.execute("select from pg_class where relpersistence = 't'")
        assert left.rowcount == 0
    return {standing.projection: standing for standing in found}


async def test_every_projection_equals_a_fresh_fold_while_bookings_and_projectors_go_on(
    database: Database, studio: Studio, projecting: Projecting
) -> None:
    resources = [await studio.resource(f"Stage {number}") for number in range(3)]
    await Wanderer(studio, 1, resources).steps(60)
    await projecting.runner(*ASYNCHRONOUS).catch_up()
    runner = projecting.runner(*ASYNCHRONOUS, events_at_once=7)
    task = asyncio.create_task(runner.run(database.runtime_dsn))
    positions = []
    async with going_on(studio, resources, callers=2):
        for _ in range(8):
            found = await compared(studio)
            assert {name for name, each in found.items() if each.equal} == {
                each.name for each in ASYNCHRONOUS
            }, found
            positions.append(found["bookings"].position)
            await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert positions == sorted(positions)
    assert positions[-1] > positions[0] > 0
    assert found["bookings"].rows > 20


_LOSE = sql.SQL("""
delete from booking.{table} where ctid = (select ctid from booking.{table} order by ctid limit 1)
""")
_CHANGE = sql.SQL("""
update booking.{table} set {column} = %(value)s
 where ctid = (select ctid from booking.{table} order by ctid desc limit 1)
""")
_ADD = sql.SQL("""
insert into booking.{table}
select (jsonb_populate_record(kept, jsonb_build_object(%(key)s::text, %(value)s::text))).*
  from booking.{table} kept
 order by ctid desc
 limit 1
""")
_COLUMNS = """
select attname, atttypid::regtype::text
  from pg_attribute
  left join pg_index on indrelid = attrelid and indisprimary and attnum = any (indkey)
 where attrelid = format('booking.%%I', %(table)s::text)::regclass
   and attnum > 0 and not attisdropped and attname not in ('tenant_id', 'generation')
   and (indrelid is not null) = %(keys)s
 order by attnum
"""
OTHER_VALUES = {
    "bigint": "123456789",
    "integer": "12345678",
    "smallint": "1234",
    "timestamp with time zone": "2001-01-01T00:00:00Z",
    "date": "2001-01-01",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "text": "altered",
    "jsonb": '{"altered": true}',
}


async def test_in_each_table_a_row_that_is_missing_changed_or_too_many_is_found_and_named(
    studio: Studio, projecting: Projecting
) -> None:
    resources = [await studio.resource(f"Stage {number}") for number in range(3)]
    await Wanderer(studio, 1, resources).steps(100)
    await projecting.runner(*ASYNCHRONOUS).catch_up()
    with psycopg.connect(studio.owner_dsn, autocommit=True) as conn:
        for damage, told in [(_lose, (1, 0)), (_change, (2, 1)), (_add, (2, 2))]:
            for _, table in TABLES:
                damage(conn, table)
            found = await compared(studio)
            assert not any(standing.equal for standing in found.values())
            for name, table in TABLES:
                named = _rows_of(table, found[name].missing_rows)
                unexpected = _rows_of(table, found[name].unexpected_rows)
                assert (len(named), len(unexpected)) == told, (damage, table)
            for name, standing in found.items():
                tables = sum(projection == name for projection, _ in TABLES)
                assert standing.missing == told[0] * tables
                assert standing.unexpected == told[1] * tables


def _lose(conn: psycopg.Connection, table: str) -> None:
    assert conn.execute(_LOSE.format(table=sql.Identifier(table))).rowcount == 1, table


def _change(conn: psycopg.Connection, table: str) -> None:
    # Where all columns are the key's, the first of them, since `_add` changes the last.
    [(column, value), *_] = [
        *reversed(_columns(conn, table, keys=False)),
        *_columns(conn, table, keys=True),
    ]
    statement = _CHANGE.format(table=sql.Identifier(table), column=sql.Identifier(column))
    assert conn.execute(statement, {"value": value}).rowcount == 1, table


def _add(conn: psycopg.Connection, table: str) -> None:
    key, value = _columns(conn, table, keys=True)[-1]
    statement = _ADD.format(table=sql.Identifier(table))
    assert conn.execute(statement, {"key": key, "value": value}).rowcount == 1, table


def _columns(conn: psycopg.Connection, table: str, *, keys: bool) -> list[tuple[str, str]]:
    """The columns that another value is known for."""
    columns = conn.execute(_COLUMNS, {"table": table, "keys": keys}).fetchall()
    return [(name, OTHER_VALUES[kind]) for name, kind in columns if kind in OTHER_VALUES]


def _rows_of(table: str, rows: Sequence[str]) -> list[str]:
    return [row for row in rows if json.loads(row)["table"] == table]


async def test_what_is_parked_being_built_or_of_another_version_is_told_and_not_called_equal(
    studio: Studio, projecting: Projecting
) -> None:
    await studio.booked(book(await studio.resource()))
    assert "no projector has begun it" in await _why_not(studio, BOOKINGS)
    await Stepping(projecting.pool, [BOOKINGS], events_at_once=1).step(studio.tenant_id)
    assert "being built for the first time" in await _why_not(studio, BOOKINGS)
    await projecting.runner().catch_up()
    assert "does not have the version 1" in await _why_not(studio, replace(BOOKINGS, version=2))
    await studio.booked(book(await studio.resource()))
    await projecting.runner(replace(BOOKINGS, apply=_breaks)).catch_up()
    assert "parked at the event at position 4" in await _why_not(studio, BOOKINGS)


async def test_a_log_that_lacks_an_event_is_told_and_nothing_is_left_behind(
    studio: Studio, projecting: Projecting
) -> None:
    for _ in range(3):
        await studio.booked(book(await studio.resource()))
    await projecting.runner(*ASYNCHRONOUS).catch_up()
    for lost in (6, 3):  # the last one, then one in the midst
        projecting.execute(f"delete from booking.event where seq = {lost}")  # noqa: S608
        with pytest.raises(LogUnreadable, match="cannot be folded after position"):
            await compared(studio)


async def _why_not(studio: Studio, projection: Projection) -> str:
    standing = (await compared(studio, [projection]))[projection.name]
    assert not standing.equal
    return str(standing.not_compared)


async def _breaks(_: Batch) -> None:
    await asyncio.sleep(0)
    raise ValueError
