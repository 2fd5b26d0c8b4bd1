"""`booking import` as it is typed: what it prints, and its exit status."""

import base64
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path

import psycopg
import pytest

from infra.access import create_tenant
from infra.database import Database

pytestmark = pytest.mark.on_one_postgres

REPOSITORY = Path(__file__).parents[2]
SCHEDULE = """\
what,where,from,to
Pilot,Stage 1,2027-05-03 06:00,2027-05-03 22:00
Advert,"Stage 2, Stage 1",2027-05-03 21:00,2027-05-03 23:00
News,Stage 2,2027-05-03 23:00,2027-05-03 23:00
"""
COLUMNS = ["--title", "what", "--resources", "where", "--starts", "from", "--ends", "to"]


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY), **settings}


def command(file: Path, *options: str) -> list[str]:
    program = [sys.executable, "-m", "api.cli", "import", str(file)]
    return [*program, "--tenant", "city", *COLUMNS, *options]


def imported(
    settings: Mapping[str, str], file: Path, *options: str
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # noqa: S603 - the program under test
        command(file, *options),
        env=environment(settings),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def city(database: Database) -> dict[str, str]:
    """Make the tenant and return the settings to reach it with."""
    with psycopg.connect(database.owner_dsn) as conn:
        create_tenant(conn, "city", "The city")
    return {
        "DATABASE_URL": database.runtime_dsn,
        "MIGRATION_DATABASE_URL": database.owner_dsn,
        "BOOKING_MASTER_KEY": base64.b64encode(bytes(32)).decode(),
    }


@pytest.fixture
def schedule(tmp_path: Path) -> Path:
    file = tmp_path / "schedule.csv"
    file.write_text(SCHEDULE, encoding="utf-8")
    return file


def test_findings_are_shown_reported_and_answered_with_1(
    city: dict[str, str], schedule: Path, tmp_path: Path
) -> None:
    report = tmp_path / "report.json"
    run = imported(city, schedule, "--report", str(report))

    assert run.returncode == 1, run.stderr
    assert "3 rows: 1 imported, 1 refused, 1 invalid; 2 new resources registered." in run.stdout
    assert "row 2 (line 3) 'Advert', refused: taken already: Stage 1" in run.stdout
    assert "2027-05-03 06:00 to 2027-05-03 22:00 UTC" in run.stdout
    assert "row 3 (line 4) 'News', invalid: the end must be after the start" in run.stdout
    assert "run the same command again" in run.stdout
    assert "━" not in run.stderr
    facts = json.loads(report.read_text(encoding="utf-8"))
    assert (facts["rows"], facts["imported"], facts["refused"], facts["invalid"]) == (3, 1, 1, 1)
    assert facts["resources"] == 2
    assert [problem["row"] for problem in facts["problems"]] == [2, 3]


def test_a_schedule_without_problems_is_0_for_machines_too(
    city: dict[str, str], schedule: Path
) -> None:
    schedule.write_text("\n".join(SCHEDULE.splitlines()[:2]), encoding="utf-8")
    first, second = (imported(city, schedule, "--json") for _ in range(2))

    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert json.loads(first.stdout) == {
        "rows": 1,
        "imported": 1,
        "already_imported": 0,
        "refused": 0,
        "invalid": 0,
        "resources": 1,
    }
    assert json.loads(second.stdout)["already_imported"] == 1


def test_a_first_command_finds_the_tenant_demo(schedule: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="booking-import-") as directory:  # for PostgreSQL, too
        settings = {"BOOKING_DATA_DIR": f"{directory}/data"}
        run = imported(settings, schedule, "--tenant", "demo")

    assert "1 imported, 1 refused, 1 invalid" in run.stdout, run.stderr


def test_an_unknown_tenant_is_misuse_and_replaces_no_report(
    city: dict[str, str], schedule: Path, tmp_path: Path
) -> None:
    report = tmp_path / "report.json"
    report.write_text("old")
    run = imported(city, schedule, "--tenant", "nobody", "--report", str(report))

    assert run.returncode == 2
    assert "There is no tenant 'nobody'" in run.stderr
    assert "Traceback" not in run.stderr
    assert report.read_text() == "old"


def test_a_report_that_cannot_be_written_is_misuse_and_nothing_is_imported(
    city: dict[str, str], schedule: Path, tmp_path: Path
) -> None:
    run = imported(city, schedule, "--report", str(tmp_path / "missing" / "report.json"))

    assert run.returncode == 2
    assert "cannot be written: No such file or directory" in run.stderr
    with psycopg.connect(city["MIGRATION_DATABASE_URL"]) as conn:
        assert conn.execute("select count(*) from booking.event").fetchone() == (0,)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--title", "wat"], "there is no column 'wat'. The file has: 'what', 'where', 'from'"),
        (["--reference", "number"], "there is no column 'number'"),
        (["--datetime-format", "%Q"], "'%Q' is no format to read times with"),
        (["--timezone", "Mars/Olympus"], "is no time zone"),
        (["--separator", ""], "--separator"),
        (["--kind", "x" * 201], "--kind"),
    ],
)
def test_misuse_is_told_before_a_database_is_needed(
    schedule: Path, options: list[str], said: str
) -> None:
    nowhere = {
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
        "BOOKING_MASTER_KEY": "00" * 32,
        "COLUMNS": "200",
    }
    run = imported(nowhere, schedule, *options)

    assert run.returncode == 2
    assert said in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_import_and_the_next_run_goes_on(
    city: dict[str, str], tmp_path: Path, number: signal.Signals
) -> None:
    file, report = tmp_path / "long.csv", tmp_path / "report.json"
    rows = [
        f"Take {take},Stage {take % 97},{day}T00:00Z,{day}T01:00Z"
        for take in range(30_000)
        for day in [date(2027, 1, 1) + timedelta(days=take // 97)]
    ]
    file.write_text("\n".join([SCHEDULE.splitlines()[0], *rows]), encoding="utf-8")
    with (
        psycopg.connect(city["MIGRATION_DATABASE_URL"], autocommit=True) as conn,
        subprocess.Popen(  # noqa: S603 - the program under test
            command(file, "--report", str(report)),
            env=environment(city),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as running,
    ):
        try:
            deadline = time.monotonic() + 30
            while conn.execute("select from booking.event limit 1").fetchone() is None:
                assert running.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)
            running.send_signal(number)
            said, complained = running.communicate(timeout=30)
        finally:
            running.kill()

    assert running.returncode == 1, complained
    assert "Traceback" not in complained
    assert "Stopped before the end of the file" in said
    facts = json.loads(report.read_text(encoding="utf-8"))
    assert 0 < facts["rows"] < 30_000
    assert facts["imported"] == facts["rows"]

    file.write_text("\n".join([SCHEDULE.splitlines()[0], *rows[: facts["rows"] + 100]]))
    again = json.loads(imported(city, file, "--json").stdout)
    assert (again["already_imported"], again["imported"]) == (facts["imported"], 100)
