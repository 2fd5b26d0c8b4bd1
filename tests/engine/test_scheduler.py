"""What happens without anybody asking."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from infra.database import Database
from infra.engine import RunningEngine
from infra.postgres.pool import Pool, open_pool
from infra.scheduler import ACTOR, Intervals, Scheduler
from tests.engine.conftest import HOUR, NINE, Studio, book, keyed, make_tenant


@pytest.fixture
async def background(database: Database) -> AsyncIterator[Pool]:
    pool = await open_pool(database.runtime_dsn, role="booking_background")
    yield pool
    await pool.close()


@pytest.fixture
def scheduler(background: Pool, running: RunningEngine) -> Scheduler:
    return Scheduler(background, running.engine, lapsed=lambda _: None)


async def test_holds_past_their_expiry_lapse_and_others_stay(
    scheduler: Scheduler, studio: Studio, running: RunningEngine, database: Database
) -> None:
    neighbour = Studio(running.engine, make_tenant(database, "neighbour"), database.owner_dsn)
    soon = datetime.now(UTC) + timedelta(seconds=0.2)
    for who in (studio, neighbour):
        stage = await who.resource()
        await who.booked(book(stage, status="held", hold_expires_at=soon))
        await who.booked(book(stage, start=NINE + HOUR, status="held"))
        await who.booked(book(stage, start=NINE + 2 * HOUR))
    assert await scheduler.lapse_due_holds() == 0
    await asyncio.sleep(0.25)
    assert await scheduler.lapse_due_holds() == 2
    for who in (studio, neighbour):
        last = who.log()[-1]
        assert last.topic == "booking.hold_lapsed"
        assert json.loads(last.metadata)["actor"] == ACTOR
        assert len(who.reservations()) == 2
    assert await scheduler.lapse_due_holds() == 0


async def test_two_schedulers_record_a_lapse_once(scheduler: Scheduler, studio: Studio) -> None:
    stage = await studio.resource()
    soon = datetime.now(UTC) + timedelta(seconds=0.2)
    for hour in range(20):
        start = NINE + hour * HOUR
        await studio.booked(book(stage, start=start, status="held", hold_expires_at=soon))
    await asyncio.sleep(0.25)
    recorded = await asyncio.gather(scheduler.lapse_due_holds(), scheduler.lapse_due_holds())
    assert sum(recorded) == 20
    assert studio.topics().count("booking.hold_lapsed") == 20


async def test_a_running_scheduler_lapses_and_ends_when_told(
    background: Pool, studio: Studio
) -> None:
    lapsed = asyncio.Event()
    intervals = Intervals(lapse_seconds=0.05)
    scheduler = Scheduler(
        background, studio.engine, lapsed=lambda _: lapsed.set(), intervals=intervals
    )
    stage = await studio.resource()
    soon = datetime.now(UTC) + timedelta(seconds=0.1)
    await studio.booked(book(stage, status="held", hold_expires_at=soon))
    working = asyncio.create_task(scheduler.run())
    await asyncio.wait_for(lapsed.wait(), timeout=5)
    assert studio.reservations() == set()
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working


async def test_receipts_go_when_they_no_longer_count(scheduler: Scheduler, studio: Studio) -> None:
    stage = await studio.resource()
    for hour in range(3):
        await studio.engine.execute(
            studio.caller, keyed(book(stage, start=NINE + hour * HOUR), f"k{hour}")
        )
    with psycopg.connect(studio.owner_dsn) as owner:
        owner.execute(
            "update booking.receipt set recorded_at = now() - interval '26 hours' where key <> 'k2'"
        )
    assert await scheduler.purge_receipts() == 2
    assert await scheduler.purge_receipts() == 0
