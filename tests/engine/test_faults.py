"""What callers are told, and what is in the log, when the way to the database breaks."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import islice

import psycopg
import pytest

from domain.claims import Claim, ReservationChanges
from domain.commands import Cancel, Confirm, Release
from domain.ids import BookingId
from infra.database import Database
from infra.engine import Accepted, CommandRequest, Refused, Result, running_engine
from infra.engine.assembly import RunningEngine
from infra.errors import CommandFailed, OutcomeUnknown, Overloaded
from infra.identity import new_id
from infra.log.append import AppendCommand, NewEvent, Verdict
from infra.log.commit_queue import QueueLimits
from infra.master_key import MasterKey
from infra.postgres.pool import Waits
from infra.telemetry.metrics import Metrics
from tests.engine.conftest import HOUR, NINE, Studio, book, keyed, make_tenant
from tests.engine.losing_proxy import LosingProxy, losing_proxy

HASTY = Waits(
    connection=timedelta(seconds=2), statement=timedelta(seconds=1), lock=timedelta(seconds=0.3)
)

HELD_UP = """
    select from pg_locks join pg_stat_activity using (pid)
     where datname = current_database() and not granted
"""


@pytest.fixture
async def proxy(database: Database) -> AsyncIterator[tuple[LosingProxy, str]]:
    async with losing_proxy(database.runtime_dsn) as running:
        yield running


@pytest.fixture
async def behind_proxy(
    proxy: tuple[LosingProxy, str], master_key: MasterKey
) -> AsyncIterator[RunningEngine]:
    async with running_engine(proxy[1], master_key, Metrics(), waits=HASTY) as engine:
        yield engine


@pytest.fixture
def losing(proxy: tuple[LosingProxy, str]) -> LosingProxy:
    return proxy[0]


@pytest.fixture
def remote(behind_proxy: RunningEngine, database: Database) -> Studio:
    return Studio(behind_proxy.engine, make_tenant(database, "remote"), database.owner_dsn)


async def test_a_booking_whose_answer_was_lost_is_found_and_answered(
    remote: Studio, losing: LosingProxy
) -> None:
    stage = await remote.resource()
    await remote.settled()
    losing.lose_answers(1)
    result = await remote.engine.execute(remote.caller, CommandRequest(command := book(stage)))
    assert isinstance(result, Accepted)
    assert result.position == result.as_of == 2
    assert {row[1] for row in remote.reservations()} == {command.booking_id}
    assert remote.topics() == ["resource.registered", "booking.booked"]


async def test_a_change_whose_answer_was_lost_is_found_and_answered(
    remote: Studio, losing: LosingProxy
) -> None:
    stage = await remote.resource()
    hold = BookingId((await remote.booked(book(stage, status="held"))).id)
    await remote.settled()
    losing.lose_answers(1)  # the hold is remembered, so the next statement is the append
    result = await remote.engine.execute(
        remote.caller, CommandRequest(Confirm(booking_id=hold, reason=None))
    )
    assert isinstance(result, Accepted)
    assert remote.topics()[-1] == "booking.confirmed"
    assert len(remote.log()) == 3


async def test_a_lost_answer_can_be_asked_for_again(remote: Studio, losing: LosingProxy) -> None:
    stage = await remote.resource()
    await remote.settled()
    losing.lose_answers(2)
    lost = await remote.engine.execute(remote.caller, keyed(book(stage), "k"))
    assert isinstance(lost, Refused)
    assert isinstance(lost.error, OutcomeUnknown)
    again = await remote.engine.execute(remote.caller, keyed(book(stage), "k"))
    assert isinstance(again, Accepted)
    assert again.replayed
    assert {row[1] for row in remote.reservations()} == {again.aggregate.id}
    assert len(remote.log()) == 2


async def test_a_lost_batch_fails_each_command_and_no_retry_books_twice(
    remote: Studio, losing: LosingProxy
) -> None:
    stage = await remote.resource()
    requests = [keyed(book(stage, start=NINE + i * HOUR), f"k{i}") for i in range(20)]
    await remote.settled()
    losing.lose_answers(2)
    lost = await remote.engine.execute_all(remote.caller, requests)
    errors = [type(result.error) for result in lost if isinstance(result, Refused)]
    unknown = errors.count(OutcomeUnknown)
    assert unknown > 0
    # Those that had not left with the first flight were not to be decided sooner than it.
    assert errors == [OutcomeUnknown] * unknown + [Overloaded] * (20 - unknown)
    again = await remote.engine.execute_all(remote.caller, requests)
    assert [isinstance(result, Accepted) and result.replayed for result in again] == (
        [True] * unknown + [False] * (20 - unknown)
    )
    assert all(isinstance(result, Accepted) for result in again)
    assert len(remote.reservations()) == 20


async def test_a_retry_of_a_cancel_gets_the_first_answer(studio: Studio) -> None:
    stage = await studio.resource()
    booking = BookingId((await studio.booked(book(stage))).id)
    cancel = keyed(Cancel(booking_id=booking, reason="rain"), "cancel")
    first = await studio.engine.execute(studio.caller, cancel)
    again = await studio.engine.execute(studio.caller, cancel)
    assert isinstance(first, Accepted)
    assert isinstance(again, Accepted)
    assert (again.position, again.replayed) == (first.position, True)


async def test_a_stuck_lock_is_told_as_overload_and_passes(
    database: Database, master_key: MasterKey
) -> None:
    async with running_engine(database.runtime_dsn, master_key, Metrics(), waits=HASTY) as running:
        studio = Studio(running.engine, make_tenant(database, "stuck"), database.owner_dsn)
        stage = await studio.resource()
        with psycopg.connect(database.owner_dsn) as blocker:
            blocker.execute(
                "select from booking.tenant_head where tenant_id = %s for update",
                [studio.tenant_id],
            )
            results = await studio.engine.execute_all(
                studio.caller,
                [CommandRequest(book(stage, start=NINE + i * HOUR)) for i in range(5)],
            )
        assert all(isinstance(getattr(result, "error", None), Overloaded) for result in results)
        await studio.booked(book(stage))
        assert len(studio.log()) == 2


async def test_a_full_queue_refuses_at_once(database: Database, master_key: MasterKey) -> None:
    limits = QueueLimits(waiting_commands=3)
    async with running_engine(
        database.runtime_dsn, master_key, Metrics(), limits=limits
    ) as running:
        studio = Studio(running.engine, make_tenant(database, "full"), database.owner_dsn)
        stage = await studio.resource()

        def ask(hour: int) -> asyncio.Task[Result]:
            request = CommandRequest(book(stage, start=NINE + hour * HOUR))
            return asyncio.create_task(studio.engine.execute(studio.caller, request))

        with psycopg.connect(database.owner_dsn) as blocker:
            blocker.execute(
                "select from booking.tenant_head where tenant_id = %s for update",
                [studio.tenant_id],
            )
            commands = [ask(0)]
            while not blocker.execute(HELD_UP).rowcount:  # noqa: ASYNC110 - a lock tells of no event
                await asyncio.sleep(0.01)
            commands += [ask(hour) for hour in range(1, 6)]
            refused = [await first for first in islice(asyncio.as_completed(commands), 2)]
        results = await asyncio.gather(*commands)
    assert [type(each.error) for each in refused if isinstance(each, Refused)] == [Overloaded] * 2
    assert [type(each) for each in results].count(Accepted) == 4
    assert len(studio.reservations()) == 4


async def test_one_bad_command_never_fails_its_neighbours(
    running: RunningEngine, studio: Studio
) -> None:
    stage = await studio.resource()

    def command(hour: int, length: int) -> AppendCommand:
        booking = BookingId(new_id())
        start = NINE + hour * HOUR
        claim = Claim(stage, booking, start, start + length * HOUR, "confirmed", None)
        return AppendCommand(
            expect={booking: 0},
            events=(NewEvent(booking, 1, "booking.booked", "{}", "{}"),),
            changes=ReservationChanges(vacated=(), claimed=(claim,), confirmed=()),
        )

    empty_period = 4
    answers = [
        running.queue.enqueue(studio.tenant_id, command(i, 0 if i == empty_period else 1))
        for i in range(9)
    ]
    outcomes = await asyncio.gather(*answers, return_exceptions=True)
    assert isinstance(outcomes.pop(empty_period), CommandFailed)
    assert [getattr(outcome, "verdict", outcome) for outcome in outcomes] == [Verdict.ACCEPTED] * 8
    assert len(studio.reservations()) == 8
    assert len(studio.log()) == 9


async def test_a_caller_that_leaves_cancels_nothing(studio: Studio) -> None:
    stage = await studio.resource()
    callers = [
        asyncio.create_task(
            studio.engine.execute(studio.caller, CommandRequest(book(stage, start=NINE + i * HOUR)))
        )
        for i in range(8)
    ]
    while not any(caller.done() for caller in callers):
        for caller in callers[1::2]:
            if studio.engine._queue._commands:  # all have boarded
                caller.cancel()
        await asyncio.sleep(0)
    results = await asyncio.gather(*callers, return_exceptions=True)
    assert any(isinstance(result, asyncio.CancelledError) for result in results)
    assert all(isinstance(result, Accepted) for result in results[::2])
    await studio.booked(book(stage, start=NINE - HOUR))  # its turn comes after theirs
    assert len(studio.reservations()) == 9


async def test_a_hold_is_confirmed_or_released_but_never_both(studio: Studio) -> None:
    for day in range(10):
        stage = await studio.resource()
        held = await studio.booked(book(stage, status="held", start=NINE + 24 * day * HOUR))
        hold = BookingId(held.id)
        results = await asyncio.gather(
            studio.engine.execute(
                studio.caller, CommandRequest(Confirm(booking_id=hold, reason=None))
            ),
            studio.engine.execute(
                studio.caller, CommandRequest(Release(booking_id=hold, reason=None))
            ),
        )
        assert sorted(type(result).__name__ for result in results) == ["Accepted", "Refused"]
