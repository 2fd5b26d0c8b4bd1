"""What a process remembers, and what its clock says, must not change an answer."""

from datetime import UTC, datetime, timedelta

import pytest

from domain.booking import Booking
from domain.commands import Amend, Cancel, Lapse
from domain.errors import CannotLapse
from domain.ids import BookingId
from infra.database import Database
from infra.engine import Accepted, Command, CommandRequest, Refused, RunningEngine, running_engine
from infra.log.commit_queue import QueueLimits
from infra.master_key import MasterKey
from infra.telemetry.metrics import Metrics
from tests.engine.conftest import HOUR, NINE, Studio, book


@pytest.mark.parametrize("between", [0, 2 * QueueLimits().batch_commands])
async def test_commands_keep_their_order_where_another_process_has_changed_something(
    studio: Studio, database: Database, master_key: MasterKey, between: int
) -> None:
    stage = await studio.resource()
    old = BookingId((await studio.booked(book(stage))).id)
    async with running_engine(database.runtime_dsn, master_key, Metrics()) as other:
        elsewhere = Studio(other.engine, studio.tenant_id, studio.owner_dsn)
        await elsewhere.accepted(Amend(booking_id=old, changes={"title": "Finale"}))
    exchange: list[Command] = [
        Cancel(booking_id=old, reason=None),
        *(book(stage, start=NINE + hour * HOUR) for hour in range(1, 1 + between)),
        book(stage),
    ]
    results = await studio.engine.execute_all(studio.caller, list(map(CommandRequest, exchange)))
    assert {type(result) for result in results} == {Accepted}


async def test_a_hold_lapses_by_no_clock_but_the_databases(
    studio: Studio, running: RunningEngine
) -> None:
    stage = await studio.resource()
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    hold = await studio.booked(book(stage, status="held", hold_expires_at=tomorrow))
    running.engine._clock = lambda: tomorrow + timedelta(days=1)
    lapse = CommandRequest(Lapse(booking_id=BookingId(hold.id)))
    result = await studio.engine.execute(studio.caller, lapse)
    assert isinstance(result, Refused)
    assert isinstance(result.error, CannotLapse)


async def test_a_group_lets_no_hold_lapse_but_by_the_databases_clock(
    studio: Studio, running: RunningEngine
) -> None:
    stage = await studio.resource()
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    hold = await studio.booked(book(stage, status="held", hold_expires_at=tomorrow))
    running.engine._clock = lambda: tomorrow + timedelta(days=1)
    amend = Amend(booking_id=BookingId(hold.id), changes={"title": "Finale"})
    other = await studio.resource()
    await studio.engine.execute_atomic(
        studio.caller, [CommandRequest(amend), CommandRequest(book(other))]
    )
    found = await studio.engine.booking(studio.tenant_id, BookingId(hold.id))
    assert found is not None
    assert isinstance(found.aggregate, Booking)
    assert found.aggregate.status == "held"
