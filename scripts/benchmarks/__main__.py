"""The command line of the benchmarks: `scripts/bench write`, `project` and the others."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from api.cli.signals import stopped_by_signals
from infra.telemetry.logging import configure_logging
from scripts.benchmarks.auditing import EVENTS, measure_audit, report_audit
from scripts.benchmarks.authentication import measure_authentication, report_authentication
from scripts.benchmarks.failure import BenchFailed
from scripts.benchmarks.importing import FILM_PERMITS, measure_import, report_import
from scripts.benchmarks.lagging import measure_lag, report_lag
from scripts.benchmarks.live import measure_live, report_live
from scripts.benchmarks.logs import STAGES
from scripts.benchmarks.looking_back import measure_looking_back, report_looking_back
from scripts.benchmarks.projecting import measure_projecting, report_projecting
from scripts.benchmarks.read import measure_read, report_read
from scripts.benchmarks.reads import LARGE_DAYS, measure_grown, report_grown
from scripts.benchmarks.report import report
from scripts.benchmarks.subjects import RESOURCES, Plan
from scripts.benchmarks.write import measure

FAILED = 1
INTERRUPTED = 130  # 128 + SIGINT, as shells have it

app = typer.Typer(
    help="Measurements, each with servers of its own.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def benchmarks() -> None:
    """Measure the booking engine."""


@app.command()
def write(
    seconds: Annotated[float, typer.Option(help="How long each load lasts.", min=0.5)] = 10,
    rounds: Annotated[int, typer.Option(help="How often each is measured.", min=1)] = 3,
    connections: Annotated[int, typer.Option(help="Clients at once.", min=1, max=1000)] = 64,
    tenants: Annotated[int, typer.Option(help="Among how many.", min=1, max=RESOURCES)] = 1,
    pool: Annotated[int, typer.Option(help="Database connections of c.", min=1, max=80)] = 10,
    *,
    projecting: Annotated[
        bool,
        typer.Option(help="Have a projector run beside this API; the others have no read models."),
    ] = False,
) -> None:
    """Compare bookings through this API and its engine with what else one could do."""
    plan = Plan(
        seconds=seconds,
        rounds=rounds,
        connections=connections,
        tenants=tenants,
        crud_pool=pool,
        projecting=projecting,
    )
    _run(lambda: report(plan, measure(plan, _progress)))


@app.command("import")
def import_permits(
    file: Annotated[
        Path, typer.Argument(help="New York's film permits of 2023, as CSV.")
    ] = FILM_PERMITS,
    rounds: Annotated[int, typer.Option(help="How often it is imported.", min=1)] = 3,
) -> None:
    """Import a city's film permits, once the database server is up."""
    if not file.is_file():
        raise typer.BadParameter(f"{file} is not there.")
    _run(lambda: report_import(measure_import(file, rounds, _progress)))


@app.command()
def reads(
    days: Annotated[
        int, typer.Option(help="Of the large calendar: 3,000 reservations each.", min=31)
    ] = LARGE_DAYS,
) -> None:
    """Measure what grows: availability in a full calendar, the append's cost, and memory."""
    _run(lambda: report_grown(measure_grown(_progress, days)))


@app.command()
def read(
    seconds: Annotated[float, typer.Option(help="How long each load lasts.", min=0.5)] = 10,
    rounds: Annotated[int, typer.Option(help="How often each is measured.", min=1)] = 3,
    writes: Annotated[int, typer.Option(help="Bookings a second beside the reads.", min=1)] = 50,
) -> None:
    """Measure what a read costs out of each cache, and that none is older than it may be."""
    _run(lambda: report_read(measure_read(seconds, rounds, writes, _progress)))


@app.command()
def auth(
    seconds: Annotated[float, typer.Option(help="How long each load lasts.", min=0.5)] = 10,
    rounds: Annotated[int, typer.Option(help="How often each is measured.", min=1)] = 6,
    connections: Annotated[int, typer.Option(help="Clients at once.", min=1, max=1000)] = 64,
) -> None:
    """Measure what API keys and session tokens add to the time of a booking."""
    _run(
        lambda: report_authentication(
            measure_authentication(seconds, rounds, connections, _progress)
        )
    )


@app.command()
def audit(
    events: Annotated[int, typer.Option(help="Of the log.", min=STAGES)] = EVENTS,
    rounds: Annotated[int, typer.Option(help="How often it is verified.", min=1)] = 3,
) -> None:
    """Measure how fast a log is verified: its hashes, and apart from them all the rest."""
    _run(lambda: report_audit(measure_audit(events, rounds, _progress)))


@app.command()
def project(
    events: Annotated[int, typer.Option(help="In the log.", min=1000)] = 1_000_000,
    tenants: Annotated[int, typer.Option(help="Among how many.", min=1)] = 100,
    rounds: Annotated[int, typer.Option(help="How often each is measured.", min=1)] = 3,
) -> None:
    """Measure how fast projections catch up with a long log."""
    _run(lambda: report_projecting(measure_projecting(events, tenants, rounds, _progress)))


@app.command()
def lag(
    rate: Annotated[int, typer.Option(help="Commands a second.", min=1)] = 1000,
    seconds: Annotated[float, typer.Option(help="How long.", min=1)] = 20,
    tenants: Annotated[int, typer.Option(help="Whose they are, in turn.", min=1)] = 20,
) -> None:
    """Measure how long after its commit an event is in the projections, at a fixed rate."""
    _run(lambda: report_lag(measure_lag(rate, seconds, tenants, _progress)))


@app.command()
def live(
    sockets: Annotated[int, typer.Option(help="That look on.", min=1)] = 2000,
    rate: Annotated[int, typer.Option(help="Bookings a second.", min=1)] = 100,
    seconds: Annotated[float, typer.Option(help="How long.", min=1)] = 20,
) -> None:
    """Measure how long after its commit a change is with all who look on, and what these cost."""
    _run(lambda: report_live(measure_live(sockets, rate, seconds, _progress)))


@app.command("as-of")
def as_of(
    events: Annotated[int, typer.Option(help="In the log.", min=10_000)] = 1_000_000,
) -> None:
    """Measure what looking back a year costs in a log of two."""
    _run(lambda: report_looking_back(measure_looking_back(events, _progress)))


def _progress(line: str) -> None:
    typer.echo(line, err=True)


def _run(measured: Callable[[], str]) -> None:
    configure_logging("WARNING", "console")
    finished = False
    with stopped_by_signals():
        try:
            typer.echo(measured())
        except BenchFailed as failure:
            typer.echo(f"bench: {failure}", err=True)
            raise typer.Exit(FAILED) from failure
        finished = True
    if not finished:
        sys.exit(INTERRUPTED)


app(prog_name="scripts/bench")
