"""`booking export people`: what is kept of a tenant, given back."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer
from pydantic_core import to_json

from api.cli.workplace import owner_connection
from api.cli.written_file import written_file
from infra.access import tenant_named
from infra.people import exported_people

export = typer.Typer(help="Exports: what is kept of a tenant, as JSON Lines.")


OfTenant = Annotated[str, typer.Option("--tenant", help="The tenant's slug.", metavar="SLUG")]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        help="Write to this file, for its owner's eyes only; else to standard output.",
        metavar="FILE",
        dir_okay=False,
    ),
]


@export.callback()
def _exports() -> None:
    """Keep `people` a command of its own, although there is only one."""


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
