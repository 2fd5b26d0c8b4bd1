"""`booking export`: what is kept of a tenant, given back or taken away to be analysed."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import psycopg
import typer
from pydantic_core import to_json

from api.cli.workplace import owner_connection, prepared_database, prepared_settings
from api.cli.written_file import CannotWrite, written_file
from infra.access import tenant_named
from infra.circuits import Circuits
from infra.exporting import (
    BOOKINGS,
    EVENTS,
    REFUSALS,
    UTILISATION,
    Contents,
    Format,
    Window,
    days,
    moments,
    opened_export,
    writing,
)
from infra.object_storage import Writable, open_store
from infra.people import exported_people
from infra.settings import Settings
from infra.told_circuits import told_after_export

export = typer.Typer(
    help="Exports: what is kept of a tenant, as CSV, JSON Lines or Parquet.", no_args_is_help=True
)

OfTenant = Annotated[str, typer.Option("--tenant", help="The tenant's slug.", metavar="SLUG")]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        "-o",
        help="Write to this file, for its owner's eyes only; else to standard output.",
        metavar="FILE",
        dir_okay=False,
    ),
]
Key = Annotated[
    str | None,
    typer.Option(
        "--store",
        help="Keep it in the object store that is set (BOOKING_OBJECT_STORE), by this key.",
        metavar="KEY",
    ),
]
As = Annotated[Format, typer.Option("--format", help="How it is written.")]
FromDay = Annotated[str | None, typer.Option("--from", help="The first day.", metavar="DAY")]
ToDay = Annotated[
    str | None, typer.Option("--to", help="The day after the last one.", metavar="DAY")
]
FromTime = Annotated[
    str | None,
    typer.Option("--from", help="From then on: a day (in UTC), or a time.", metavar="TIME"),
]
ToTime = Annotated[
    str | None, typer.Option("--to", help="Until then: a day (in UTC), or a time.", metavar="TIME")
]


@export.command()
def utilisation(
    *,
    tenant: OfTenant,
    start: FromDay = None,
    end: ToDay = None,
    kept_as: As = "csv",
    out: Out = None,
    store: Key = None,
) -> None:
    """Export how much of each resource's local days was booked, and how often it was refused."""
    _export(UTILISATION, tenant, days(start, end), kept_as, out, store)


@export.command()
def bookings(
    *,
    tenant: OfTenant,
    start: FromTime = None,
    end: ToTime = None,
    kept_as: As = "csv",
    out: Out = None,
    store: Key = None,
) -> None:
    """Export bookings as they are now, those of which any part lies in that time."""
    _export(BOOKINGS, tenant, moments(start, end), kept_as, out, store)


@export.command()
def refusals(
    *,
    tenant: OfTenant,
    start: FromTime = None,
    end: ToTime = None,
    kept_as: As = "csv",
    out: Out = None,
    store: Key = None,
) -> None:
    """Export what was refused in the last 90 days, by when it was."""
    _export(REFUSALS, tenant, moments(start, end), kept_as, out, store)


@export.command()
def events(
    *,
    tenant: OfTenant,
    start: FromTime = None,
    end: ToTime = None,
    kept_as: As = "csv",
    out: Out = None,
    store: Key = None,
) -> None:
    """Export what happened, by when it was recorded, in the versions of today.

    Without what is sealed: `booking audit export` has that, and proves the log.
    """
    _export(EVENTS, tenant, moments(start, end), kept_as, out, store)


@export.command()
def people(*, tenant: OfTenant, out: Out = None) -> None:
    """Give back what is kept of a tenant's people: a line for each, also of those who have left."""
    with owner_connection() as conn:
        count = _write(exported_people(conn, tenant_named(conn, tenant)), out)
    if out is not None:
        typer.echo(f"Wrote {count:,} {'person' if count == 1 else 'people'} to {out}.", err=True)


def _write(rows: Iterable[object], out: Path | None) -> int:
    count = 0
    with written_file(out) as lines:
        for row in rows:
            lines.write(to_json(row) + b"\n")
            count += 1
    return count


def _export(
    contents: Contents,
    tenant: str,
    window: Window,
    kept_as: Format,
    out: Path | None,
    key: str | None,
) -> None:
    settings = prepared_settings()
    with prepared_database(settings) as database:
        with psycopg.connect(database.owner_dsn, application_name="booking") as conn:
            tenant_id = tenant_named(conn, tenant)
        count = 0
        with (
            opened_export(database.runtime_dsn, contents, tenant_id, window) as exported,
            _destination(settings, database.runtime_dsn, out, key) as file,
            writing(contents.columns, kept_as, file) as write,
        ):
            for page in exported.pages:
                write(page)
                count += len(page)
    behind = f"; {exported.behind:,} later ones are not in it yet" if exported.behind else ""
    typer.echo(
        f"Wrote {contents.name}, rows: {count:,}, true as of position {exported.position:,}"
        f"{behind}.",
        err=True,
    )


@contextmanager
def _destination(
    settings: Settings, runtime_dsn: str, out: Path | None, key: str | None
) -> Iterator[Writable]:
    if key is None:
        with written_file(out) as file:
            yield file
        return
    if out is not None:
        raise CannotWrite("--out and --store are two places. Take one of them.")
    circuits = Circuits()
    store = open_store(settings, circuits)
    with told_after_export(runtime_dsn, circuits), store.writing(key) as kept:
        yield kept
