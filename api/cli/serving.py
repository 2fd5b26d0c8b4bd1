"""`booking serve`, which runs everything, and its parts: `api`, `projector` and `scheduler`."""

import os
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Annotated

import structlog
import typer

from api.cli.background import beside, run_until_stopped
from api.cli.listening import address_of, listen
from api.cli.projector_process import keep_projector, stop_when_stdin_ends
from api.cli.signals import finishing, stopped_by_signals
from api.cli.workplace import prepared_database, prepared_settings
from api.projecting import follow_logs
from api.scheduling import run_scheduler
from infra.database import Database, migrated, open_database, usable
from infra.demo import demo_api_key
from infra.kept_secrets import master_key_of
from infra.settings import Settings, hand_to_workers
from infra.wrapped_secrets import open_secrets

_log = structlog.get_logger(__name__)

FAILED = 1
EMBEDDED_CONNECTIONS = 90  # of 100 that the embedded PostgreSQL takes; the rest is for commands

Port = Annotated[
    int | None,
    typer.Option(
        "--port", help="The TCP port (else PORT, 8000); 0 for any free one.", min=0, max=65535
    ),
]
Workers = Annotated[int, typer.Option("--workers", help="Processes that serve.", min=1, max=64)]
UntilStdinEnds = Annotated[
    bool,
    typer.Option(
        "--until-stdin-ends",
        help="Stop when standard input ends, as it does when whoever holds it dies.",
    ),
]


def serve(port: Port = None, workers: Workers = 1) -> None:
    """Run everything: database (unless DATABASE_URL names one), HTTP, projector, scheduler."""
    settings = _settings(port, workers)

    def prepare(database: Database) -> list[str]:
        migrated(database)
        open_secrets(database.runtime_dsn, master_key_of(settings))
        if settings.embedded:
            return [f"API key of the tenant demo: {demo_api_key(settings, database)}"]
        return [
            "A tenant and a key: booking tenant create SLUG --name NAME",
            "                    booking apikey create --tenant SLUG --role admin",
        ]

    _serve(settings, workers, prepare, alone=True)


def api(port: Port = None, workers: Workers = 1) -> None:
    """Serve HTTP only; the database is migrated, projector and scheduler run elsewhere."""
    settings = _settings(port, workers)

    def prepare(database: Database) -> list[str]:
        usable(database, settings)
        open_secrets(database.runtime_dsn, master_key_of(settings))
        return [
            "Lists follow the log as long as a projector runs too: booking projector",
            "Holds lapse as long as a scheduler runs too:          booking scheduler",
        ]

    _serve(settings, workers, prepare, alone=False)


def projector(*, until_stdin_ends: UntilStdinEnds = False) -> None:
    """Keep the projections up with the log and send webhooks, until stopped; any number may run."""
    settings = prepared_settings()
    with stopped_by_signals():
        if until_stdin_ends:
            stop_when_stdin_ends()
        with prepared_database(settings) as database, finishing():
            _log.info("the projector works", process=os.getpid())
            run_until_stopped(partial(follow_logs, database.runtime_dsn, settings))


def scheduler() -> None:
    """Lapse holds that have expired, and purge old receipts, until stopped."""
    settings = prepared_settings()
    with stopped_by_signals(), prepared_database(settings) as database, finishing():
        open_secrets(database.runtime_dsn, master_key_of(settings))
        _log.info("the scheduler works; stop it with Ctrl-C")
        run_until_stopped(partial(run_scheduler, database.runtime_dsn, settings))


def _settings(port: int | None, workers: int) -> Settings:
    settings = prepared_settings()
    changes: dict[str, object] = {}
    if port is not None:
        changes["port"] = port
    if settings.embedded:
        changes["pool_size"] = max(2, min(settings.pool_size, EMBEDDED_CONNECTIONS // workers))
    return settings.model_copy(update=changes)


def _serve(
    settings: Settings,
    workers: int,
    prepare: Callable[[Database], list[str]],
    *,
    alone: bool,
) -> None:
    bound = listen(settings.host, settings.port)
    from api.cli.server import serve_http  # noqa: PLC0415 - slow to load, for whoever serves alone

    settings = settings.model_copy(update={"port": bound.getsockname()[1]})
    hand_to_workers(settings)
    served = True
    with stopped_by_signals(), open_database(settings) as database, ExitStack() as parts:
        announce = partial(_announce, address_of(bound), prepare(database))
        if alone:
            scheduling = partial(run_scheduler, database.runtime_dsn, settings)
            parts.enter_context(beside(scheduling))
            parts.enter_context(beside(keep_projector))
        parts.enter_context(finishing())
        served = serve_http(settings, bound, workers, announce)
    if not served:
        typer.echo("booking: the server did not start; the log above says why.", err=True)
        raise typer.Exit(FAILED)


def _announce(address: str, notes: list[str]) -> None:
    typer.echo(f"\nThe booking engine listens at {address} (try it out: {address}/docs)")
    for note in notes:
        typer.echo(note)
    typer.echo("Stop it with Ctrl-C.\n")
