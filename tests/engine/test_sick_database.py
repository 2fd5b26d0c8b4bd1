"""A database that is stuck, full, read-only or closed: callers hear of it in bounded time."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from structlog.testing import capture_logs
from structlog.typing import EventDict

from domain.ids import BookingId
from infra.database import Database
from infra.engine import Accepted, CommandRequest, Refused, running_engine
from infra.engine.assembly import RunningEngine
from infra.errors import CommandFailed, OutcomeUnknown, Overloaded
from infra.master_key import MasterKey
from infra.postgres.embedded import SUPERUSER, EmbeddedPostgres
from infra.postgres.pool import Waits
from infra.telemetry.metrics import Metrics
from tests.engine.conftest import HOUR, NINE, Studio, book, keyed

LENT = timedelta(seconds=0.5)
OURS = """
    select pid from pg_stat_activity
     where datname = current_database() and application_name = 'booking_api'
     order by state_change
"""
END_OURS = """
    select pg_terminate_backend(pid, 10000) from pg_stat_activity
     where datname = current_database() and application_name = 'booking_api'
"""


@pytest.fixture
async def running(database: Database, master_key: MasterKey) -> AsyncIterator[RunningEngine]:
    async with running_engine(
        database.runtime_dsn, master_key, Metrics(), waits=Waits(lent=LENT)
    ) as engine:
        yield engine


@pytest.fixture
def log() -> Iterator[list[EventDict]]:
    with capture_logs() as lines:
        yield lines


@pytest.fixture
def superuser(database: Database, postgres: EmbeddedPostgres) -> Iterator[psycopg.Connection]:
    name = str(conninfo_to_dict(database.owner_dsn)["dbname"])
    with psycopg.connect(postgres.dsn(SUPERUSER, database=name), autocommit=True) as conn:
        yield conn


@contextmanager
def stopped(superuser: psycopg.Connection, number: int) -> Iterator[list[int]]:
    """So many processes of the server stand still, those first that will be asked first."""
    rows = superuser.execute(OURS)
    pids = [pid for (pid,) in rows][:number]
    assert len(pids) == number
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield pids
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
        while superuser.execute(
            "select from pg_stat_activity where pid = any(%s)", [pids]
        ).fetchone():  # what they had not read yet they carry out now
            pass


async def test_a_connection_that_does_not_answer_is_hung_up_and_another_one_decides(
    studio: Studio, superuser: psycopg.Connection, log: list[EventDict]
) -> None:
    stage = await studio.resource()
    await studio.settled()
    with stopped(superuser, 1) as pids:
        booked = await asyncio.gather(
            *(studio.accepted(book(stage, start=NINE + hour * HOUR)) for hour in range(5))
        )
    assert [line["backend_pid"] for line in log if "hung up" in line["event"]] == pids
    assert {row[1] for row in studio.reservations()} == {one.aggregate.id for one in booked}
    assert len(studio.log()) == 6


async def test_where_none_answers_callers_hear_it_in_time_and_asking_again_books_once(
    studio: Studio, superuser: psycopg.Connection, log: list[EventDict]
) -> None:
    stage = await studio.resource()
    request = keyed(command := book(stage), "key")
    await studio.settled()
    with stopped(superuser, 2) as pids:
        async with asyncio.timeout(10 * LENT.total_seconds()):
            lost = await studio.engine.execute(studio.caller, request)
            assert isinstance(lost, Refused)
            assert isinstance(lost.error, OutcomeUnknown)
            again = await studio.engine.execute(studio.caller, request)  # on a new connection
    assert isinstance(again, Accepted)
    assert {line["backend_pid"] for line in log if "hung up" in line["event"]} == set(pids)
    assert [line["error"] for line in log if line["event"] == "commit_queue.batch_failed"] == [
        "OutcomeUnknown"
    ]
    assert {row[1] for row in studio.reservations()} == {command.booking_id}
    assert len(studio.log()) == 2


async def test_a_read_that_is_stuck_is_given_up_and_the_next_one_is_answered(
    studio: Studio, superuser: psycopg.Connection
) -> None:
    stage = await studio.resource()
    booking = await studio.booked(book(stage))
    await studio.settled()
    with stopped(superuser, 1):
        with pytest.raises(Overloaded):
            await studio.engine.booking(studio.tenant_id, BookingId(booking.id))
        found = await studio.engine.booking(studio.tenant_id, BookingId(booking.id))
    assert found is not None


@contextmanager
def failing(superuser: psycopg.Connection, sqlstate: str, message: str) -> Iterator[None]:
    """No event titled `Trouble` can be written; the server would say this of itself."""
    superuser.execute(
        f"""
        create function booking.fail() returns trigger language plpgsql as $$
        begin
            if new.state like '%"Trouble"%' then
                raise exception '{message}' using errcode = '{sqlstate}';
            end if;
            return new;
        end $$;
        create trigger fail before insert on booking.event
            for each row execute function booking.fail()
        """
    )
    try:
        yield
    finally:
        superuser.execute("drop trigger fail on booking.event; drop function booking.fail()")


async def test_a_full_disk_writes_nothing_at_all_and_is_told_once(
    studio: Studio, superuser: psycopg.Connection, log: list[EventDict]
) -> None:
    stage = await studio.resource()
    before = await studio.booked(book(stage, start=NINE - HOUR))
    commands = [book(stage, start=NINE + hour * HOUR, title="Trouble") for hour in range(40)]
    requests = [keyed(command, f"key-{nth}") for nth, command in enumerate(commands)]
    reason = "could not extend file: No space left on device"
    with failing(superuser, "53100", reason):
        for _ in range(5):
            results = await studio.engine.execute_all(studio.caller, requests)
            for result in results:
                assert isinstance(result, Refused)
                assert isinstance(result.error, Overloaded)
        found = await studio.engine.booking(studio.tenant_id, BookingId(before.id))
        assert found is not None  # reading goes on
        assert len(studio.reservations()) == 1
        assert len(studio.log()) == 2
    (line,) = [line for line in log if line["event"] == "commit_queue.batch_failed"]
    assert (line["error"], line["reason"], line["batches"]) == ("Overloaded", reason, 1)
    results = await studio.engine.execute_all(studio.caller, requests)
    assert all(isinstance(result, Accepted) and not result.replayed for result in results)
    assert len(studio.log()) == 42


async def test_a_command_that_is_too_much_for_the_server_fails_alone(
    studio: Studio, superuser: psycopg.Connection
) -> None:
    stage = await studio.resource()
    titles = ["Pilot", "Trouble", "Pilot"]
    requests = [
        CommandRequest(book(stage, start=NINE + hour * HOUR, title=title))
        for hour, title in enumerate(titles)
    ]
    with failing(superuser, "54000", "index row size exceeds maximum"):
        first, second, third = await studio.engine.execute_all(studio.caller, requests)
    assert isinstance(first, Accepted)
    assert isinstance(third, Accepted)
    assert isinstance(second, Refused)
    assert isinstance(second.error, CommandFailed)


async def test_a_read_only_database_is_told_as_overload_and_passes(
    studio: Studio, superuser: psycopg.Connection, log: list[EventDict]
) -> None:
    stage = await studio.resource()
    database = superuser.info.dbname
    superuser.execute(f'alter database "{database}" set default_transaction_read_only = on')
    superuser.execute(END_OURS)
    refused = await studio.engine.execute(studio.caller, CommandRequest(book(stage)))
    assert isinstance(refused, Refused)
    assert isinstance(refused.error, Overloaded)
    assert any("read-only transaction" in line.get("reason", "") for line in log)
    superuser.execute("set default_transaction_read_only = off")
    superuser.execute(f'alter database "{database}" reset default_transaction_read_only')
    superuser.execute(END_OURS)
    await studio.booked(book(stage))
    assert len(studio.log()) == 2


@contextmanager
def refusing(superuser: psycopg.Connection) -> Iterator[None]:
    """Connections there are end, and no other is let in; but for superusers."""
    database = superuser.info.dbname
    superuser.execute(f'alter database "{database}" connection limit 0')
    superuser.execute(END_OURS)
    try:
        yield
    finally:
        superuser.execute(f'alter database "{database}" connection limit -1')


async def test_who_waits_for_a_connection_hears_of_a_refusal_at_once(
    studio: Studio, running: RunningEngine, superuser: psycopg.Connection, log: list[EventDict]
) -> None:
    stage = await studio.resource()
    booking = BookingId((await studio.booked(book(stage))).id)
    wait = Waits().connection.total_seconds()
    with refusing(superuser):
        for _ in range(3):
            began = asyncio.get_running_loop().time()
            answers = await asyncio.gather(
                *(studio.engine.booking(studio.tenant_id, booking) for _ in range(50)),
                return_exceptions=True,
            )
            assert {type(answer) for answer in answers} == {Overloaded}
            assert asyncio.get_running_loop().time() - began < wait / 2
        assert running.pool.refuses
    assert await studio.engine.booking(studio.tenant_id, booking) is not None
    assert not running.pool.refuses
    told = [line for line in log if line["event"] == "the database refuses connections"]
    assert 1 <= len(told) <= 5
    assert "too many connections for database" in told[0]["reason"]
    assert log[-1]["event"] == "the database takes connections again"
