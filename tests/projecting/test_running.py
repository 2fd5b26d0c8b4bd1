"""The runner: every event once, whatever is killed, and whoever else runs."""

import asyncio
from dataclasses import replace
from uuid import UUID

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from domain.booking import Booking
from domain.commands import Cancel
from domain.ids import BookingId, TenantId
from domain.mapper import EVENTS
from infra.database import Database
from infra.engine import RunningEngine
from infra.postgres.embedded import SUPERUSER
from infra.postgres.pool import reading
from infra.projecting import ProjectionRunner
from infra.projecting.checkpoints import begin_anew, retry
from projections.asynchronous import Batch
from projections.bookings.projecting import BOOKINGS
from projections.catalogue import ASYNCHRONOUS
from projections.position import read_live
from tests.conftest import Server
from tests.engine.conftest import Studio, book, make_tenant
from tests.projecting.conftest import Projecting
from tests.rebuilding.wandering import Wanderer, going_on

CHECKPOINTS = """
    select tenant_id::text, generation, version, seq, is_live, parked_seq
      from booking.projection_checkpoint order by 1, 2
"""
_CUT = """
    select pg_terminate_backend(pid)
      from pg_stat_activity
     where application_name in ('booking_projector', 'booking_listener')
       and datname = current_database()
"""
CUTS = 25


async def rebuilt(projecting: Projecting, tenant_id: TenantId) -> None:
    async with projecting.pool.connection() as conn:
        assert await begin_anew(conn, tenant_id, "bookings") is not None
    await projecting.runner().catch_up()


async def test_a_fold_in_small_batches_is_the_fold_in_large_ones_and_what_the_engine_says(
    studio: Studio, projecting: Projecting
) -> None:
    resources = [await studio.resource(f"Stage {number}") for number in range(3)]
    wanderer = Wanderer(studio, 1, resources)
    await wanderer.steps(200)
    await projecting.runner(events_at_once=3).catch_up()
    kept = projecting.bookings
    rows = projecting.rows("select booking_id, status, version, position from booking.bookings")
    assert len(rows) > 20
    for booking_id, status, version, position in rows:
        assert isinstance(booking_id, UUID)
        found = await studio.engine.booking(studio.tenant_id, BookingId(booking_id))
        assert found is not None
        assert isinstance(found.aggregate, Booking)
        assert (found.aggregate.status, found.aggregate.version, found.position) == (
            status,
            version,
            position,
        )
    await rebuilt(projecting, studio.tenant_id)
    assert projecting.bookings == kept
    assert [row[1:5] for row in projecting.rows(CHECKPOINTS)] == [(2, 1, len(studio.log()), True)]
    assert projecting.rows("select distinct generation from booking.bookings") == [(2,)]


async def test_two_runners_share_the_events_while_connections_are_cut(
    server: Server, database: Database, studio: Studio, projecting: Projecting
) -> None:
    cut = 0
    resources = [await studio.resource(f"Stage {number}") for number in range(3)]
    runners = [projecting.runner(events_at_once=5) for _ in range(2)]
    running = [asyncio.create_task(runner.run(database.runtime_dsn)) for runner in runners]
    async with going_on(studio, resources, callers=3):
        for _ in range(CUTS):
            await asyncio.sleep(0.05)
            cut += _cut(server, database)
    assert cut >= CUTS
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    await projecting.runner().catch_up()
    assert [row[3:] for row in projecting.rows(CHECKPOINTS)] == [(len(studio.log()), True, None)]
    kept = projecting.bookings
    await rebuilt(projecting, studio.tenant_id)
    assert projecting.bookings == kept


async def test_an_event_that_cannot_be_applied_parks_its_tenant_alone_until_it_is_tried_again(
    database: Database, studio: Studio, projecting: Projecting
) -> None:
    other = replace(studio, tenant_id=make_tenant(database, "other"))
    poison = None

    async def brittle(batch: Batch) -> None:
        await BOOKINGS.apply(batch)
        if any(event.stream_id == poison for event in batch.events):
            raise ValueError("a secret of the customer")

    for one in (studio, other):
        stage = await one.resource()
        for hour in range(5):
            booked = await one.booked(book(stage, hours=0.1 * hour + 0.1, title=f"{hour}"))
            if one is studio and hour == 2:
                poison = booked.id
            await one.accepted(Cancel(booking_id=BookingId(booked.id), reason=None))
    await projecting.runner(replace(BOOKINGS, apply=brittle)).catch_up()
    places = {row[0]: row[3:] for row in projecting.rows(CHECKPOINTS)}
    # Registered, then booked and cancelled twice; the next one is the third booking.
    assert places[str(studio.tenant_id)] == (5, False, 6)
    assert places[str(other.tenant_id)] == (11, True, None)
    [(told,)] = projecting.rows(
        "select parked_error from booking.projection_checkpoint where parked_seq = 6"
    )
    assert told == "ValueError"
    await projecting.runner().catch_up()
    assert {row[0]: row[3] for row in projecting.rows(CHECKPOINTS)}[str(studio.tenant_id)] == 5
    async with projecting.pool.connection() as conn:
        assert await retry(conn, "bookings", None) == 1
    await projecting.runner().catch_up()
    places = {row[0]: row[3:] for row in projecting.rows(CHECKPOINTS)}
    assert places[str(studio.tenant_id)] == (11, True, None)


async def test_a_new_version_takes_over_under_load_and_no_reader_sees_a_gap(
    database: Database, running: RunningEngine, studio: Studio, projecting: Projecting
) -> None:
    resources = [await studio.resource(f"Stage {number}") for number in range(3)]
    await Wanderer(studio, 1, resources).steps(60)
    await projecting.runner().catch_up()
    both = [BOOKINGS, replace(BOOKINGS, version=2)]
    task = asyncio.create_task(projecting.runner(*both, events_at_once=7).run(database.runtime_dsn))
    seen: list[tuple[int, int]] = []
    async with going_on(studio, resources, callers=2):
        while len(seen) < 20 or seen[-1][0] == 1:
            async with reading(running.pool, studio.tenant_id) as conn:
                live = await read_live(conn, studio.tenant_id, "bookings")
                assert live is not None
                cursor = await conn.execute(
                    """
                    select count(*), max(position) from booking.bookings
                     where tenant_id = %s and generation = %s
                    """,
                    [studio.tenant_id, live.generation],
                )
                [(count, last)] = await cursor.fetchall()
            assert count > 5
            assert last <= live.seq
            seen.append((live.generation, live.seq))
            await asyncio.sleep(0.02)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert seen == sorted(seen)
    assert {generation for generation, _ in seen} == {1, 2}
    await projecting.runner(*both).catch_up()
    assert [row[1:3] for row in projecting.rows(CHECKPOINTS)] == [(2, 2)]
    assert projecting.rows("select distinct generation from booking.bookings") == [(2,)]


@pytest.mark.parametrize("announced", [True, False], ids=["announced", "found by looking"])
async def test_events_are_projected_within_moments(
    database: Database,
    studio: Studio,
    projecting: Projecting,
    monkeypatch: pytest.MonkeyPatch,
    announced: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    if not announced:
        monkeypatch.setattr("infra.log.announcing.CHANNEL", "nobody_listens")
    stage = await studio.resource()
    runner = ProjectionRunner(projecting.pool, [BOOKINGS], poll_seconds=60 if announced else 0.05)
    task = asyncio.create_task(runner.run(database.runtime_dsn))
    await asyncio.sleep(0.3)
    await studio.booked(book(stage))
    async with asyncio.timeout(5):
        while not projecting.bookings:  # noqa: ASYNC110 - it is another process that is waited for
            await asyncio.sleep(0.02)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _cut(server: Server, database: Database) -> int:
    """Have the server end every connection of the projectors; tell how many."""
    name = str(conninfo_to_dict(database.owner_dsn)["dbname"])
    superuser = server.postgres.dsn(SUPERUSER, database=name)
    with psycopg.connect(superuser, autocommit=True) as conn:
        return conn.execute(_CUT).rowcount


def test_every_projection_says_of_every_kind_of_event_what_it_does_with_it() -> None:
    """What it said nothing of would park the first tenant to which it happens."""
    topics = {event.TOPIC for events in EVENTS.values() for event in events}
    for projection in ASYNCHRONOUS:
        assert projection.handles | projection.ignores == topics, projection.name
        assert not projection.handles & projection.ignores, projection.name
