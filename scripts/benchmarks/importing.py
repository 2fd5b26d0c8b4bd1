"""The import benchmark: New York's film permits, through the command line's own import.

The database server runs already. Each round has a database that has seen none of the rows; once
the import is timed within this process, and once as the command that anybody starts, with the time
Python takes to load it.
"""

import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from zoneinfo import ZoneInfo

import psycopg

from api.cli.import_job import ImportJob, run_import
from api.cli.import_summary import ImportResult
from infra.access import create_tenant
from infra.importing.planning import TableForm
from infra.postgres.embedded import MIGRATOR
from infra.postgres.migrator import migrate
from infra.settings import Settings
from scripts.benchmarks.failure import BenchFailed
from scripts.benchmarks.servers import ROOT, environment
from scripts.benchmarks.subjects import own_postgres

FILM_PERMITS = ROOT.parent / "shared" / "data" / "nyc_film_permits_2023.csv"
TARGET_RATE = 2000

_FORMAT = "%m/%d/%Y %I:%M:%S %p"
_FORM = TableForm(
    title="EventID",
    resources="ParkingHeld",
    starts="StartDateTime",
    ends="EndDateTime",
    reference=None,
    separator=",",
    zone=ZoneInfo("America/New_York"),
    datetime_format=_FORMAT,
)
_OPTIONS = (
    *("--title", _FORM.title, "--resources", _FORM.resources),
    *("--starts", _FORM.starts, "--ends", _FORM.ends),
    *("--timezone", _FORM.zone.key, "--datetime-format", _FORMAT),
)
_FINDINGS = 1  # the exit status where rows were refused, as some are


@dataclass(frozen=True)
class Imported:
    """One import.

    Attributes:
        rows: of the file.
        seconds: from reading its first row to the last answer, with the pool's opening.
        command_seconds: of another, as a command of its own.
    """

    rows: int
    seconds: float
    command_seconds: float


def measure_import(file: Path, rounds: int, say: Callable[[str], None]) -> list[Imported]:
    """Imports the film permits again and again, each time for another tenant.

    Args:
        file: the CSV file.
        rounds: how often.
        say: takes a line of progress.

    Raises:
        BenchFailed: an import ended early, or as a command it failed.
    """
    imported: list[Imported] = []
    with own_postgres() as (postgres, directory):
        chosen = {
            "BOOKING_DATA_DIR": str(directory),
            "BOOKING_MASTER_KEY": secrets.token_hex(32),
            "LOG_LEVEL": "WARNING",
        }
        owner = postgres.dsn(MIGRATOR)
        migrate(owner)
        for number in range(1, rounds + 1):
            with psycopg.connect(owner) as conn:
                for slug in (f"within-{number}", f"command-{number}"):
                    create_tenant(conn, slug, slug)
            rows, seconds = _within(file, f"within-{number}", Settings.model_validate(chosen))
            imported.append(Imported(rows, seconds, _command(file, f"command-{number}", chosen)))
            say(f"round {number}: {rows / seconds:,.0f} rows/s")
    return imported


def report_import(imported: Sequence[Imported]) -> str:
    """Tells what was found.

    Args:
        imported: of each round.
    """
    rate = median(each.rows / each.seconds for each in imported)
    command = median(each.command_seconds for each in imported)
    rows = imported[0].rows
    return (
        f"import of {rows:,} rows: {rate:,.0f} rows/s   target ≥ {TARGET_RATE:,}   "
        f"({rows / rate:.2f} s; as a command {command:.2f} s with Python's start)"
    )


def _within(file: Path, tenant: str, settings: Settings) -> tuple[int, float]:
    result = ImportResult(None)
    job = ImportJob(file=file, tenant=tenant, form=_FORM, kind="street", report=None)
    started = time.perf_counter()
    run_import(job, settings, result)
    seconds = time.perf_counter() - started
    if result.ending is not None or not result.counts.imported:
        raise BenchFailed(f"the import did not finish: {result.text()}")
    return result.counts.rows, seconds


def _command(file: Path, tenant: str, settings: dict[str, str]) -> float:
    command = [sys.executable, "-m", "api.cli", "import", str(file), "--tenant", tenant, *_OPTIONS]
    started = time.perf_counter()
    done = subprocess.run(  # noqa: S603 - this project's own command, on a file the caller named
        command, cwd=ROOT, env=environment(settings), capture_output=True, text=True, check=False
    )
    if done.returncode != _FINDINGS:
        raise BenchFailed(f"the import failed: {done.stdout[-1000:]}{done.stderr[-1000:]}")
    return time.perf_counter() - started
