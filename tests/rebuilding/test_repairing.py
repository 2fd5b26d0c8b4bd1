"""A rebuild puts right whatever happened to the rows, while bookings go on."""

import asyncio
import json

import psycopg
import pytest

from domain.commands import Cancel, Reschedule
from domain.ids import BookingId
from infra.database import Database
from infra.rebuilding import TenantBusy, owner_session
from projections.catalogue import INLINE
from tests.engine.conftest import HOUR, NINE, Studio, book
from tests.rebuilding.conftest import B2, Tables, until
from tests.rebuilding.damage import DAMAGES, Damage
from tests.rebuilding.double_bookings import double_bookings
from tests.rebuilding.wandering import Wanderer, going_on


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let little be much: several ranges, several statements, as many looks as there may be."""
    monkeypatch.setattr("infra.rebuilding.shadow.EVENTS_AT_ONCE", 50)
    monkeypatch.setattr("infra.rebuilding.comparing.STREAMS_AT_ONCE", 3)
    monkeypatch.setattr("infra.rebuilding.repairing.ROWS_AT_ONCE", 2)
    monkeypatch.setattr("infra.rebuilding.repairing.SHORT_TAIL", 0)


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("damage", DAMAGES, ids=str)
async def test_damage_is_told_row_by_row_and_put_right_for_this_tenant_alone(
    tables: Tables, neighbour: Tables, damage: Damage
) -> None:
    table = damage.table
    for each in (neighbour, tables):
        await each.furnish()
    before = tables.rows(table)
    for each in (neighbour, tables):
        each.execute(*damage.statements)
    theirs, damaged = neighbour.rows(table), tables.rows(table)

    standing = await tables.look(table)
    assert (standing.missing, standing.unexpected) == (damage.missing, damage.unexpected)
    assert len(standing.missing_rows) == damage.missing
    assert len(standing.unexpected_rows) == damage.unexpected
    assert standing.rows == len(damaged)
    assert not standing.equal
    assert tables.rows(table) == damaged

    result = await tables.rebuild(table)
    assert (result.deleted, result.inserted) == (damage.unexpected, damage.missing)
    assert (result.left, result.position) == (0, 5)
    assert tables.texts(table) == [row.text for row in before]
    assert set(before) & set(damaged) <= set(tables.rows(table))
    assert (await tables.look(table)).equal
    assert neighbour.rows(table) == theirs


@pytest.mark.parametrize("seed", [100, 101])
async def test_a_lost_table_becomes_byte_for_byte_what_it_was(
    tables: Tables, studio: Studio, seed: int
) -> None:
    await Wanderer(studio, seed, [await studio.resource()]).steps(100)
    before = {name: tables.texts(name) for name in INLINE}
    tables.execute("truncate booking.reservation, booking.resource, booking.open_hold")
    for name, texts in before.items():
        result = await tables.rebuild(name)
        assert (result.deleted, result.inserted, result.left) == (0, len(texts), 0)
        assert tables.texts(name) == texts


@pytest.mark.usefixtures("small_batches")
async def test_eight_callers_feel_nothing_of_it_and_nothing_is_booked_twice(
    tables: Tables, studio: Studio
) -> None:
    """The damage is where nobody books: what is booked over a lost row is told below."""
    await tables.furnish()
    shared = [await studio.resource("1"), await studio.resource("2")]
    async with going_on(studio, shared, callers=8):
        for damage in DAMAGES:
            if damage.is_confined:
                tables.execute(*damage.statements)
                result = await tables.rebuild(damage.table)
                assert (result.deleted, result.inserted) == (damage.unexpected, damage.missing)
                for name in INLINE:
                    assert (await tables.look(name)).equal
    log = studio.log()
    assert len(log) > 100
    assert double_bookings(log) == []
    for name in INLINE:
        assert (await tables.look(name)).equal


async def test_what_was_booked_over_a_lost_row_is_told_and_settled_by_cancelling(
    tables: Tables, studio: Studio
) -> None:
    stage = await studio.resource()
    lost = await studio.booked(book(stage))
    tables.execute("delete from booking.reservation where tenant_id = %(tenant)s")
    also_lost = await studio.booked(book(stage, start=NINE - HOUR))
    tables.execute("delete from booking.reservation where tenant_id = %(tenant)s")
    standing = await studio.booked(book(stage, start=NINE + HOUR / 2))

    result = await tables.rebuild("reservation")

    assert (result.deleted, result.inserted, result.left) == (0, 1, 1)
    [overlap] = result.overlaps
    assert json.loads(overlap.left_out)["booking_id"] == str(lost.id)
    assert json.loads(overlap.standing)["booking_id"] == str(standing.id)
    assert {row[1] for row in studio.reservations()} == {also_lost.id, standing.id}
    assert (await tables.look("reservation")).missing == 1

    await studio.accepted(Cancel(booking_id=BookingId(standing.id), reason=None))
    again = await tables.rebuild("reservation")
    assert (again.inserted, again.left) == (1, 0)
    assert (await tables.look("reservation")).equal


async def test_what_came_between_the_look_and_the_lock_is_followed_before_anything_is_changed(
    tables: Tables,
) -> None:
    """The very booking whose row is wrong is moved, by a command that gets the lock first."""
    await tables.furnish()
    tables.execute(
        "delete from booking.reservation where tenant_id = %(tenant)s and booking_id = %(b1)s",
        "update booking.reservation set hold_expires_at = null where booking_id = %(b2)s",
    )
    move = Reschedule(
        booking_id=B2, start_time=NINE + 6 * HOUR, end_time=NINE + 7 * HOUR, resource_ids=None
    )
    owner_dsn = tables.studio.owner_dsn
    with (
        psycopg.connect(owner_dsn) as lock,
        psycopg.connect(owner_dsn, autocommit=True) as onlooker,
    ):
        lock.execute("select from booking.tenant_head for update")
        moving = asyncio.create_task(tables.studio.accepted(move))
        await until(lambda: waiting(onlooker) == 1)
        rebuilding = asyncio.create_task(tables.rebuild("reservation"))
        await until(lambda: waiting(onlooker) == 2)
    await moving
    result = await rebuilding

    assert (result.position, result.deleted, result.inserted) == (6, 0, 1)
    assert (B2, NINE + 6 * HOUR) in {(row[1], row[2]) for row in tables.studio.reservations()}
    assert (await tables.look("reservation")).equal


def waiting(onlooker: psycopg.Connection) -> int:
    return onlooker.execute("select from pg_locks where not granted").rowcount


async def test_two_rebuilds_at_once_put_it_right_once(tables: Tables, database: Database) -> None:
    await tables.furnish()
    tables.execute("delete from booking.reservation where booking_id <> %(b2)s")
    async with owner_session(database.owner_dsn) as second:
        also = Tables(tables.studio, second, tables.slug)
        results = await asyncio.gather(tables.rebuild("reservation"), also.rebuild("reservation"))
    assert sum(result.inserted for result in results) == 3
    assert (await tables.look("reservation")).equal


async def test_a_tenant_that_somebody_else_has_locked_is_left_as_it_is(tables: Tables) -> None:
    await tables.furnish()
    tables.execute("delete from booking.reservation where booking_id = %(b2)s")
    before = tables.rows("reservation")
    await tables.session.execute("set lock_timeout = '20ms'")
    with psycopg.connect(tables.studio.owner_dsn) as other:
        other.execute("select from booking.tenant_head for update")
        with pytest.raises(TenantBusy, match="pg_stat_activity"):
            await tables.rebuild("reservation")
        assert tables.rows("reservation") == before
    assert (await tables.rebuild("reservation")).inserted == 1


async def test_an_equal_table_is_rebuilt_without_waiting_for_a_lock(tables: Tables) -> None:
    await tables.furnish()
    with psycopg.connect(tables.studio.owner_dsn) as other:
        other.execute("select from booking.tenant_head for update")
        assert (await tables.rebuild("reservation")).locked_seconds == 0
