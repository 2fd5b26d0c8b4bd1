"""The command line of the benchmarks: `scripts/bench write`."""

import sys
from typing import Annotated

import typer

from api.cli.signals import stopped_by_signals
from infra.telemetry.logging import configure_logging
from scripts.benchmarks.failure import BenchFailed
from scripts.benchmarks.report import report
from scripts.benchmarks.write import RESOURCES, Plan, measure

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
) -> None:
    """Compare bookings through this API with plain CRUD, and with validating alone."""
    plan = Plan(
        seconds=seconds, rounds=rounds, connections=connections, tenants=tenants, crud_pool=pool
    )
    configure_logging("WARNING", "console")
    finished = False
    with stopped_by_signals():
        try:
            typer.echo(report(plan, measure(plan, lambda line: typer.echo(line, err=True))))
        except BenchFailed as failure:
            typer.echo(f"bench: {failure}", err=True)
            raise typer.Exit(FAILED) from failure
        finished = True
    if not finished:
        sys.exit(INTERRUPTED)


app(prog_name="scripts/bench")
