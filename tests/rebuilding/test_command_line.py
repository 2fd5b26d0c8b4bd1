"""`booking project` as it is typed: what it prints, its exit status, what a kill leaves behind."""

import asyncio
import base64
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

import psycopg
import pytest

from domain.commands import Cancel
from domain.ids import BookingId
from infra.database import Database
from infra.postgres.pool import open_pool
from infra.projecting import ProjectionRunner
from projections.catalogue import ASYNCHRONOUS
from tests.engine.conftest import HOUR, NINE, book
from tests.rebuilding.conftest import B2, STAGE, Tables, until

pytestmark = pytest.mark.on_one_postgres

REPOSITORY = Path(__file__).parents[2]
LOSE_A_ROW = "delete from booking.reservation where tenant_id = %(tenant)s and booking_id = %(b2)s"

Run: TypeAlias = "subprocess.CompletedProcess[str]"


@pytest.fixture
def settings(database: Database) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(REPOSITORY),
        "DATABASE_URL": database.runtime_dsn,
        "MIGRATION_DATABASE_URL": database.owner_dsn,
        "BOOKING_MASTER_KEY": base64.b64encode(bytes(32)).decode(),
    }


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "api.cli", "project", *words]


async def project(settings: Mapping[str, str], *words: str) -> Run:
    """Run it beside the engine of this process, as it would beside a server."""
    return await asyncio.to_thread(
        subprocess.run,
        command(*words),
        env=settings,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


async def test_equal_projections_are_told_with_0(
    settings: dict[str, str], tables: Tables, neighbour: Tables
) -> None:
    for each in (tables, neighbour):
        await each.furnish()
    pool = await open_pool(settings["DATABASE_URL"], role="booking_projector", max_size=3)
    await ProjectionRunner(pool, ASYNCHRONOUS).catch_up()
    await pool.close()
    run = await project(settings, "status")

    assert run.returncode == 0, run.stderr
    lines = run.stdout.splitlines()
    for follower in ASYNCHRONOUS:
        for slug in ("neighbour", "studio"):
            assert any(f"{follower.name} of {slug}: equal to the log" in line for line in lines)
    names = {follower.name for follower in ASYNCHRONOUS}
    assert [line for line in lines if line.split()[0] not in names] == [
        "reservation of neighbour: equal to the log (position 5, 0 events behind), 4 rows.",
        "resource of neighbour: equal to the log (position 5, 0 events behind), 2 rows.",
        "open_hold of neighbour: equal to the log (position 5, 0 events behind), 1 row.",
        "reservation of studio: equal to the log (position 5, 0 events behind), 4 rows.",
        "resource of studio: equal to the log (position 5, 0 events behind), 2 rows.",
        "open_hold of studio: equal to the log (position 5, 0 events behind), 1 row.",
        "Every row is what the log tells. Nothing is left to do.",
    ]


async def test_a_difference_is_a_finding_that_says_how_to_repair_it_and_then_it_is_gone(
    settings: dict[str, str], tables: Tables, neighbour: Tables
) -> None:
    await tables.furnish()
    await neighbour.studio.resource()
    before = tables.texts("reservation")
    tables.execute(
        LOSE_A_ROW, "update booking.resource set name = E'\x1b[2J' where resource_id = %(stage)s"
    )
    found = await project(settings, "status", "--tenant", "studio")

    assert found.returncode == 1, found.stderr
    assert "reservation of studio: NOT what the log tells" in found.stdout
    assert "3 rows: 1 missing, 0 unexpected." in found.stdout
    assert 'missing     {"status": "held", "end_time": "2027-03-01T12:00:00' in found.stdout
    assert "booking project rebuild reservation --tenant studio" in found.stdout
    assert "resource of studio: NOT what the log tells" in found.stdout
    assert "\x1b" not in found.stdout
    assert r"\u001b[2J" in found.stdout

    said = [await project(settings, "rebuild", name) for name in ("reservation", "resource")]

    assert [run.returncode for run in said] == [0, 0], said
    neighbours, ours = said[0].stdout.splitlines()
    assert neighbours == (
        "reservation of neighbour: equal to the log (position 1). Nothing was changed."
    )
    assert "rebuilt (position 5), 0 rows taken out, 1 put in. Commands waited" in ours
    assert tables.texts("reservation") == before
    assert (await project(settings, "status", "resource")).returncode == 0
    assert (await project(settings, "status", "reservation")).returncode == 0


async def test_machines_are_told_the_same(settings: dict[str, str], tables: Tables) -> None:
    await tables.furnish()
    tables.execute(LOSE_A_ROW)
    found = await project(settings, "status", "reservation", "--json")
    again = await project(settings, "rebuild", "reservation", "--json")

    assert (found.returncode, again.returncode) == (1, 0), found.stderr + again.stderr
    facts = json.loads(found.stdout)
    assert facts["equal"] is False
    assert facts["not_compared"] == []
    [standing] = facts["projections"]
    [missing] = standing.pop("missing_rows")
    assert (missing["booking_id"], missing["resource_id"]) == (str(B2), str(STAGE))
    assert standing == {
        "projection": "reservation",
        "tenant": "studio",
        "position": 5,
        "behind": 0,
        "rows": 3,
        "equal": False,
        "missing": 1,
        "unexpected": 0,
        "unexpected_rows": [],
    }
    facts = json.loads(again.stdout)
    assert facts["equal"] is True
    [rebuilt] = facts["projections"]
    assert 0 < rebuilt.pop("locked_seconds") < 10
    assert rebuilt == {
        "projection": "reservation",
        "tenant": "studio",
        "position": 5,
        "deleted": 0,
        "inserted": 1,
        "left": 0,
        "overlaps": [],
    }


async def test_what_cannot_be_put_right_is_a_finding_that_names_both_bookings(
    settings: dict[str, str], tables: Tables
) -> None:
    await tables.furnish()
    tables.execute(LOSE_A_ROW)
    other = await tables.studio.booked(book(STAGE, start=NINE + 2 * HOUR))
    run = await project(settings, "rebuild", "reservation")

    assert run.returncode == 1, run.stderr
    assert "1 row could not be put in: the log itself has another booking" in run.stdout
    left_out, in_its_way, todo = run.stdout.splitlines()[-3:]
    assert str(B2) in left_out
    assert str(other.id) in in_its_way
    assert "Cancel or move one of the two, then run again" in todo

    await tables.studio.accepted(Cancel(booking_id=BookingId(other.id), reason=None))
    assert (await project(settings, "rebuild", "reservation")).returncode == 0


async def test_a_log_that_cannot_be_read_is_a_finding_and_other_tenants_are_told(
    settings: dict[str, str], tables: Tables, neighbour: Tables
) -> None:
    for each in (tables, neighbour):
        await each.furnish()
    neighbour.execute("delete from booking.event where tenant_id = %(tenant)s and seq = 3")
    for verb in ("status", "rebuild"):
        run = await project(settings, verb, "reservation")
        assert run.returncode == 1, run.stderr
        assert "neighbour: The log of 'neighbour' lacks an event" in run.stdout
        assert "reservation of studio: equal to the log" in run.stdout
        assert "Nothing is left to do" not in run.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["status", "--tenant", "nobody"], "There is no tenant 'nobody'"),
        (["rebuild", "reservation", "--tenant", "nobody"], "There is no tenant 'nobody'"),
        (["rebuild"], "Missing argument 'NAME'"),
        (["rebuild", "calendar"], "'calendar' is not one of"),
        (["status", "calendar"], "'calendar' is not one of"),
    ],
)
async def test_misuse_is_2(settings: dict[str, str], words: list[str], said: str) -> None:
    run = await project(settings, *words)

    assert run.returncode == 2
    assert said in run.stderr
    assert "Traceback" not in run.stderr


async def test_without_tenants_there_is_something_to_do(settings: dict[str, str]) -> None:
    run = await project(settings, "status")

    assert run.returncode == 0, run.stderr
    assert "booking tenant create SLUG --name NAME" in run.stdout


async def test_a_login_that_is_not_the_owner_is_told_so(settings: dict[str, str]) -> None:
    del settings["MIGRATION_DATABASE_URL"]
    run = await project(settings, "status")

    assert run.returncode == 2
    assert "Let MIGRATION_DATABASE_URL log in as the owner" in run.stderr
    assert "Traceback" not in run.stderr


async def test_a_killed_rebuild_leaves_everything_as_it_was_and_nobody_waiting(
    settings: dict[str, str], tables: Tables
) -> None:
    """It is killed with the head locked and rows already taken out, waiting to put in others."""
    await tables.furnish()
    tables.execute(
        LOSE_A_ROW,
        "update booking.reservation set status = 'held'"
        " where tenant_id = %(tenant)s and booking_id = %(b1)s",
    )
    before = tables.rows("reservation")
    with (
        psycopg.connect(tables.studio.owner_dsn) as blocker,
        psycopg.connect(tables.studio.owner_dsn, autocommit=True) as onlooker,
    ):
        blocker.execute(
            """
            insert into booking.reservation
            values (%s, %s, gen_random_uuid(), '2027-03-01 11:00Z', '2027-03-01 12:00Z', 'held')
            """,
            [tables.studio.tenant_id, STAGE],
        )
        running = await asyncio.create_subprocess_exec(
            *command("rebuild"), "reservation", env=settings
        )
        try:
            await until(lambda: is_stuck_inserting(onlooker))
            with pytest.raises(psycopg.errors.LockNotAvailable):
                lock_head(onlooker)
        finally:
            running.kill()
            await running.wait()
        await until(lambda: onlooker.execute(OTHER_REBUILDS).rowcount == 0)
        lock_head(onlooker)  # although the blocker is still there
        assert tables.rows("reservation") == before
        blocker.rollback()

    await tables.studio.booked(book(STAGE, start=NINE + 9 * HOUR))
    assert (await project(settings, "rebuild", "reservation")).returncode == 0
    assert (await tables.look("reservation")).equal


OTHER_REBUILDS = (
    "select from pg_stat_activity where datname = current_database()"
    " and application_name = 'booking project' and state <> 'idle'"
)


def is_stuck_inserting(onlooker: psycopg.Connection) -> bool:
    query = OTHER_REBUILDS + " and wait_event_type = 'Lock' and query like '%%insert into%%'"
    return onlooker.execute(query).rowcount == 1


def lock_head(onlooker: psycopg.Connection) -> None:
    onlooker.execute("select from booking.tenant_head for update nowait")
