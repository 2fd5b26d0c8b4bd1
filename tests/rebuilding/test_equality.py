"""The inline projections are what the log tells, whatever was asked; if not, it is told exactly."""

from typing import LiteralString

import pytest

from domain.commands import Cancel
from infra.database import Database
from infra.rebuilding import LogUnreadable, NotTheOwner, Rebuilt, owner_session, standings
from projections.catalogue import INLINE
from tests.engine.conftest import HOUR, NINE, Studio, book
from tests.rebuilding.conftest import B1, Tables
from tests.rebuilding.double_bookings import double_bookings
from tests.rebuilding.wandering import Wanderer, going_on


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a short log be long: many batches of events, many ranges of streams."""
    monkeypatch.setattr("infra.rebuilding.shadow.EVENTS_AT_ONCE", 7)
    monkeypatch.setattr("infra.rebuilding.comparing.STREAMS_AT_ONCE", 3)


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("seed", range(6))
async def test_whatever_is_asked_the_tables_equal_the_fold_and_a_rebuild_changes_nothing(
    tables: Tables, studio: Studio, seed: int
) -> None:
    await Wanderer(studio, seed, [await studio.resource()]).steps(150)
    log = studio.log()
    assert double_bookings(log) == []
    for name in INLINE:
        before = tables.rows(name)
        standing = await tables.look(name)
        assert (standing.missing_rows, standing.unexpected_rows) == ((), ())
        assert standing.equal
        assert (standing.position, standing.behind) == (len(log), 0)
        assert standing.rows == len(before) > 0
        assert await tables.rebuild(name) == Rebuilt(name, tables.tenant, len(log))
        assert tables.rows(name) == before


async def test_all_projections_are_looked_at_at_one_position(
    tables: Tables, studio: Studio
) -> None:
    await tables.furnish()
    await studio.accepted(Cancel(booking_id=B1, reason=None))
    found = await standings(tables.session, tables.tenant, [*INLINE.values()])
    assert [(s.projection, s.position, s.rows, s.equal) for s in found] == [
        ("reservation", 6, 3, True),
        ("resource", 6, 2, True),
        ("open_hold", 6, 1, True),
    ]


async def test_a_tenant_without_events_is_equal(tables: Tables) -> None:
    for name in INLINE:
        standing = await tables.look(name)
        assert (standing.equal, standing.position, standing.rows) == (True, 0, 0)


async def test_only_the_first_differing_rows_are_shown_but_all_are_counted(
    tables: Tables, studio: Studio
) -> None:
    stage = await studio.resource()
    for hour in range(12):
        await studio.booked(book(stage, start=NINE + hour * HOUR))
    tables.execute("delete from booking.reservation where tenant_id = %(tenant)s")
    standing = await tables.look("reservation")
    assert (standing.missing, len(standing.missing_rows), standing.rows) == (12, 10, 0)


async def test_every_look_is_exact_while_bookings_go_on(tables: Tables, studio: Studio) -> None:
    shared = [await studio.resource("1"), await studio.resource("2")]
    looks = []
    async with going_on(studio, shared, callers=4):
        for _ in range(15):
            looks += await standings(tables.session, tables.tenant, [*INLINE.values()])
    assert all(look.equal for look in looks)
    assert looks[-1].position > looks[0].position


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        ("delete from booking.event where seq = 2", "lacks an event soon after position 0"),
        ("delete from booking.event where seq = 5", "lacks an event soon after position 4"),
        ("delete from booking.event where seq > 0", "lacks an event soon after position 0"),
        ("update booking.event set topic = 'booking.sold' where seq = 3", "booking.sold"),
        ("update booking.event set state = '{\"class_version\": 9}' where seq = 3", "version 9"),
        ("update booking.event set state = '{}' where seq = 3", "booking.booked"),
        ("delete from booking.tenant_head", "no row in booking.tenant_head"),
    ],
)
async def test_nothing_is_told_or_rebuilt_from_a_log_that_cannot_be_relied_on(
    tables: Tables, harm: LiteralString, said: str
) -> None:
    await tables.furnish()
    tables.execute(harm, "update booking.reservation set status = 'confirmed'")
    before = tables.rows("reservation")
    for work in (tables.look, tables.rebuild):
        with pytest.raises(LogUnreadable, match=said):
            await work("reservation")
    assert tables.rows("reservation") == before


@pytest.mark.parametrize("become", ["set role none", "set role booking_api"])
async def test_who_is_bound_by_row_level_security_is_told_and_sees_no_half_truth(
    database: Database, tables: Tables, become: LiteralString
) -> None:
    await tables.furnish()

    async def look() -> None:
        async with owner_session(database.runtime_dsn) as bound:
            await bound.execute(become)
            await standings(bound, tables.tenant, [INLINE["reservation"]])

    with pytest.raises(NotTheOwner, match="MIGRATION_DATABASE_URL"):
        await look()
