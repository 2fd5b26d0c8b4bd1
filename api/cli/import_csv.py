"""`booking import`: books what a CSV file says, row by row, through the engine."""

from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

import typer

from api.cli.import_summary import ImportResult
from api.cli.workplace import AsJson, answer, prepared_settings
from infra.importing.planning import TableForm

FINDING = 1
MAX_KIND = 200  # as in the HTTP interface


def _zone(name: str) -> str:
    if name not in available_timezones():
        raise typer.BadParameter(f"{name!r} is no time zone. Take an IANA name: Europe/Vienna")
    return name


def _not_empty(text: str) -> str:
    if not text:
        raise typer.BadParameter("it is empty. Leave it out to have the default")
    return text


def _kind(text: str) -> str:
    if not text.strip() or "\0" in text or len(text) > MAX_KIND:
        raise typer.BadParameter(f"a kind has 1 to {MAX_KIND} characters")
    return text


File = Annotated[
    Path,
    typer.Argument(help="The CSV file, in UTF-8.", metavar="FILE.csv", exists=True, dir_okay=False),
]
OfTenant = Annotated[str, typer.Option("--tenant", help="The tenant's slug.", metavar="SLUG")]
Title = Annotated[str, typer.Option("--title", help="Column of the titles.", metavar="COL")]
Resources = Annotated[
    str,
    typer.Option("--resources", help="Column of the names of what is booked.", metavar="COL"),
]
Separator = Annotated[
    str,
    typer.Option("--separator", help="What stands between two names.", callback=_not_empty),
]
Starts = Annotated[str, typer.Option("--starts", help="Column of the starts.", metavar="COL")]
Ends = Annotated[str, typer.Option("--ends", help="Column of the ends.", metavar="COL")]
TimeZone = Annotated[
    str,
    typer.Option(
        "--timezone",
        help="Where times without an offset were read from a clock.",
        metavar="ZONE",
        callback=_zone,
    ),
]
Format = Annotated[
    str | None,
    typer.Option(
        "--datetime-format",
        help="How times are written, as in Python's strptime: '%d.%m.%Y %H:%M'. Else ISO 8601.",
        metavar="FMT",
    ),
]
Reference = Annotated[
    str | None, typer.Option("--reference", help="Column of your own numbers.", metavar="COL")
]
Kind = Annotated[
    str,
    typer.Option("--kind", help="The kind of resources that are new.", callback=_kind),
]
Report = Annotated[
    Path | None,
    typer.Option(
        "--report",
        help="Write a report with every row that was not imported.",
        metavar="FILE.json",
        dir_okay=False,
    ),
]


def import_csv(  # noqa: PLR0913 - typer reads the options from the signature
    file: File,
    *,
    tenant: OfTenant,
    title: Title,
    resources: Resources,
    starts: Starts,
    ends: Ends,
    separator: Separator = ",",
    timezone: TimeZone = "UTC",
    datetime_format: Format = None,
    reference: Reference = None,
    kind: Kind = "imported",
    report: Report = None,
    as_json: AsJson = False,
) -> None:
    """Book what the rows of a CSV file say, in their order.

    Resources that are new are registered. A row that collides with another
    booking is refused, and shown with the bookings in its way. What is
    booked already stays: a second run books only what is missing.
    """
    from api.cli.import_job import (  # noqa: PLC0415 - slow to load, for this command alone
        ImportJob,
        run_import,
    )

    job = ImportJob(
        file=file,
        tenant=tenant,
        form=TableForm(
            title=title,
            resources=resources,
            starts=starts,
            ends=ends,
            reference=reference,
            separator=separator,
            zone=ZoneInfo(timezone),
            datetime_format=datetime_format,
        ),
        kind=kind,
        report=report,
    )
    result = ImportResult(report)
    run_import(job, prepared_settings(), result)
    answer(result.text(), {**result.counts.as_json()}, as_json=as_json)
    if as_json and result.ending:
        typer.echo(f"booking: stopped, {result.ending}. Run the same command again.", err=True)
    raise typer.Exit(FINDING if result.findings else 0)
