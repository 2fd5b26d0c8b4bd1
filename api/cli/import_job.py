"""One import from its file to its result: what has to be opened, in which order, and closed."""

import asyncio
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

import psycopg
import uvloop
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TimeRemainingColumn

from api.cli.import_summary import ImportResult
from api.cli.signals import finishing, stopped_by_signals
from api.cli.workplace import prepared_database
from api.garbage import spare_the_long_lived
from domain.ids import ResourceId, TenantId
from infra.access import tenant_named
from infra.engine import Caller
from infra.identity import new_id
from infra.importing.outcome import Problem
from infra.importing.planning import InvalidRow, PlannedRow, Planner, TableForm
from infra.importing.reading import CsvFile, WrongFile, decoded
from infra.importing.report import ReportFile
from infra.importing.running import FindByNames, Importer, ImportStopped
from infra.kept_secrets import master_key_of
from infra.master_key import MasterKey
from infra.postgres.pool import Pool, reading
from infra.settings import Settings
from projections.resource.listing import find_by_names

ACTOR = "cli:import"
CONNECTIONS = 4  # one tenant's commands travel a batch at a time; a server may need the others

Rows = Iterator[PlannedRow | InvalidRow]
Tell = Callable[[Problem], None]


@dataclass(frozen=True, kw_only=True)
class ImportJob:
    """What is imported, and for whom.

    Attributes:
        file: the CSV file.
        tenant: the slug of the tenant.
        form: how the file says what is booked and when.
        kind: of resources that are new.
        report: where to write a report.
    """

    file: Path
    tenant: str
    form: TableForm
    kind: str
    report: Path | None


def run_import(job: ImportJob, settings: Settings, result: ImportResult) -> None:
    """Import a file.

    Args:
        job: what to import.
        settings: where the database is.
        result: is told what becomes of the rows; what is in it when a signal stops the import
            stands.

    Raises:
        WrongFile: the file cannot be imported as a whole, or the report not written.
        WrongFormat: no time can be read with the format.
        AccessError: there is no such tenant.
    """
    with stopped_by_signals(), ExitStack() as stack:
        # What is wrong with the command itself is said before a server is started for it.
        table = CsvFile(stack.enter_context(decoded(job.file.open("rb"))))
        planner = Planner(job.form, table)
        database = stack.enter_context(prepared_database(settings))
        stack.enter_context(finishing())
        with psycopg.connect(database.owner_dsn) as conn:
            tenant_id = tenant_named(conn, job.tenant)
        tell = stack.enter_context(_telling(job.report, result))
        rows = stack.enter_context(_progress(table, job.file, planner.rows(tenant_id)))
        master_key = master_key_of(settings)
        spare_the_long_lived()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # as the server's
            runner.run(
                _import(database.runtime_dsn, master_key, tenant_id, job, result, rows, tell)
            )


async def _import(
    runtime_dsn: str,
    master_key: MasterKey,
    tenant_id: TenantId,
    job: ImportJob,
    result: ImportResult,
    rows: Rows,
    tell: Tell,
) -> None:
    from api.bootstrap import running_services  # noqa: PLC0415 - slow to load; others need none

    async with running_services(runtime_dsn, master_key, connections=CONNECTIONS) as services:
        importer = Importer(
            services.engine,
            Caller(tenant_id, ACTOR, str(new_id())),
            _finder(services.pool, tenant_id),
            kind=job.kind,
            timezone=job.form.zone.key,
            counts=result.counts,
            tell=tell,
        )
        with _interruptible() as interrupted:
            try:
                await importer.run(takewhile(lambda _: not interrupted.is_set(), rows))
            except ImportStopped as stopped:
                result.ending = str(stopped)
            else:
                result.ending = result.ending if interrupted.is_set() else None


@contextmanager
def _interruptible() -> Iterator[asyncio.Event]:
    """Let the first signal end the import behind the rows on their way, so that they are counted.

    Yields:
        Set by the first signal. The second interrupts whatever goes on.
    """
    loop, interrupted = asyncio.get_running_loop(), asyncio.Event()

    def interrupt() -> None:
        interrupted.set()
        restore()

    def restore() -> None:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        loop.add_signal_handler(number, interrupt)
    try:
        yield interrupted
    finally:
        restore()


def _finder(pool: Pool, tenant_id: TenantId) -> FindByNames:
    async def find(names: Sequence[str]) -> Mapping[str, ResourceId]:
        async with reading(pool, tenant_id) as conn:
            return await find_by_names(conn, tenant_id=tenant_id, names=names)

    return find


@contextmanager
def _telling(path: Path | None, result: ImportResult) -> Iterator[Tell]:
    """Have problems noted, and reported where a report is asked for."""
    with ExitStack() as stack:
        report = None
        if path is not None:
            try:
                report = stack.enter_context(ReportFile(path, result.counts))
            except OSError as error:
                raise WrongFile(
                    f"the report {path} cannot be written: {error.strerror}. Take another --report"
                ) from error

        def tell(problem: Problem) -> None:
            result.note(problem)
            if report is not None:
                report.add(problem)

        yield tell


@contextmanager
def _progress(table: CsvFile, file: Path, rows: Rows) -> Iterator[Rows]:
    """Show how much of the file is read, where somebody watches."""
    console = Console(stderr=True)
    columns = ("{task.description}", BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        # Characters stand for bytes: it is a bar. A pipe has no size, and no end in sight.
        task = progress.add_task(file.name, total=file.stat().st_size or None)

        def watched() -> Rows:
            for row in rows:
                progress.update(task, completed=table.characters_read)
                yield row
            progress.update(task, completed=progress.tasks[task].total)

        yield watched()
