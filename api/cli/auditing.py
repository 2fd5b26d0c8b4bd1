"""`booking audit`: a log verified, exported, checked, signed, and told again."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from datetime import datetime
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from api.cli.audit_report import (
    checked_facts,
    checked_text,
    continued_facts,
    continued_text,
    refused_lines,
    signed_facts,
    signed_text,
    verified_facts,
    verified_text,
)
from api.cli.replay_report import replayed_lines
from api.cli.workplace import AsJson, answer, prepared_database, prepared_settings
from api.cli.written_file import written_file
from infra.kept_secrets import signing_key, trusted_keys
from infra.log.reader import WHOLE_LOG
from infra.proof.checking import OtherLog, check_export
from infra.proof.checkpoints import KeptCheckpoint, Signing, select_checkpoints, sign_heads
from infra.proof.continuity import check_continues
from infra.proof.exporting import export_log
from infra.proof.findings import Findings
from infra.proof.notes import MAX_NOTE_BYTES, PublicKey, SignedCheckpoint, WrongNote
from infra.proof.reading import select_extent
from infra.proof.replaying import Cast, replay
from infra.proof.trust import TrustedKeys, add_forged, trusted
from infra.proof.verifying import Verified, verify
from infra.rebuilding import chosen_tenants, owner_session
from infra.settings import Settings, SettingsError

FINDING = 1
LONGEST_PAUSE_SECONDS = 5.0
"""Between two events that are told again at some speed."""

audit = typer.Typer(help="Proofs: that a log is whole, and that nothing in it was altered.")

OfTenant = Annotated[str, typer.Option("--tenant", help="The tenant's slug.", metavar="SLUG")]
OfAny = Annotated[
    str | None, typer.Option("--tenant", help="The tenant's slug; else all.", metavar="SLUG")
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        help="Write to this file, for its owner's eyes only; else to standard output.",
        metavar="FILE",
        dir_okay=False,
    ),
]
Export = Annotated[
    Path, typer.Argument(help="What `export` wrote.", metavar="FILE", exists=True, dir_okay=False)
]
Keys = Annotated[
    list[str] | None,
    typer.Option(
        "--key",
        help="A public key whose signatures count, as GET /v1/checkpoints gives it; any number.",
        metavar="KEY",
    ),
]
Kept = Annotated[
    list[Path] | None,
    typer.Option(
        "--checkpoint",
        help="A signed checkpoint that you kept, which the log has to continue; any number.",
        metavar="NOTE",
        exists=True,
        dir_okay=False,
    ),
]
Notes = Annotated[
    list[Path],
    typer.Argument(
        help="Signed checkpoints, as they were kept.", metavar="NOTE…", exists=True, dir_okay=False
    ),
]

OfExport = Annotated[
    Path | None,
    typer.Option(
        "--export",
        help="Take the log from this export; no database and no settings are needed then.",
        metavar="FILE",
        exists=True,
        dir_okay=False,
    ),
]
To = Annotated[
    int, typer.Option("--to", help="The last position; else all.", metavar="POSITION", min=1)
]
From = Annotated[int, typer.Option("--from", help="The first one.", metavar="POSITION", min=1)]
Speed = Annotated[
    float | None,
    typer.Option(
        "--speed",
        help="As it happened, so many times as fast (3600: an hour in a second), with no pause "
        f"over {LONGEST_PAUSE_SECONDS:g} s; else at once.",
        metavar="FACTOR",
        min=0.001,
    ),
]

_Result = TypeVar("_Result")


@audit.command(name="verify")
def verify_logs(*, tenant: OfAny = None, as_json: AsJson = False) -> None:
    """Verify whole logs, where they stand; bookings may go on meanwhile.

    Nothing is missing, altered or out of order; no two claims that lived
    at once overlap; the signed checkpoints are of these logs; and each
    projection equals a fresh fold. Exits with 1 if something is wrong.
    """
    settings = prepared_settings()
    keys = trusted_keys(settings)

    async def look(conn: AsyncConnection[TupleRow]) -> list[Verified]:
        return [await verify(conn, each, keys) for each in await chosen_tenants(conn, tenant)]

    found = with_owner(settings, look)
    answer(verified_text(found), verified_facts(found), as_json=as_json)
    raise typer.Exit(FINDING if not all(each.sound for each in found) else 0)


@audit.command()
def export(*, tenant: OfTenant, out: Out = None) -> None:
    """Write a log down so that anybody can check it, without this database or program.

    Personal data stays sealed in it, as it is in the log.
    """
    settings = prepared_settings()
    keys = trusted_keys(settings)

    async def write(conn: AsyncConnection[TupleRow]) -> int:
        [one] = await chosen_tenants(conn, tenant)
        with written_file(out) as lines:
            return await export_log(conn, one, keys, lines)

    count = with_owner(settings, write)
    if out is not None:
        typer.echo(
            f"Wrote {count:,} events to {out}. Check it anywhere: booking audit check {out}",
            err=True,
        )


@audit.command()
def check(
    file: Export, *, key: Keys = None, checkpoint: Kept = None, as_json: AsJson = False
) -> None:
    """Check an export: no database, no settings. Exits with 1 if something is wrong."""
    kept = [_note(path) for path in checkpoint or []]
    with file.open("rb") as lines:
        checked = check_export(lines, _given(key), kept)
    answer(checked_text(checked), checked_facts(checked), as_json=as_json)
    raise typer.Exit(FINDING if checked.findings.count else 0)


@audit.command()
def checkpoint(*, tenant: OfAny = None, as_json: AsJson = False) -> None:
    """Sign where logs end, now, and show the newest checkpoint: keep it elsewhere.

    A log that does not continue its last checkpoint is not signed, which is a
    finding: exits with 1.
    """
    settings = prepared_settings()
    key = signing_key(settings)
    if key is None:
        raise SettingsError(
            "BOOKING_SIGNING_KEY is not set: there is nothing to sign with. Make one with `openssl "
            "rand -base64 32`, and give it to the scheduler, too."
        )

    async def sign(conn: AsyncConnection[TupleRow]) -> tuple[Signing, list[KeptCheckpoint]]:
        tenants = await chosen_tenants(conn, tenant)
        only = None if tenant is None else tenants[0].tenant_id
        signing = await sign_heads(lambda: nullcontext(conn), key, tenant_id=only)
        pages = [await select_checkpoints(conn, each.tenant_id, limit=1) for each in tenants]
        return signing, [kept for page in pages for kept in page]

    signing, newest = with_owner(settings, sign)
    for line in refused_lines(signing):
        typer.echo(f"booking: {line}", err=True)
    answer(signed_text(signing, newest), signed_facts(signing, newest), as_json=as_json)
    raise typer.Exit(FINDING if signing.refused else 0)


@audit.command()
def consistent(
    notes: Notes, *, export: OfExport = None, key: Keys = None, as_json: AsJson = False
) -> None:
    """Say whether a log continues checkpoints that somebody has kept.

    It does if the events that were signed are still in it, and all others
    follow from them. Without --export, the log is that of the database. A log
    that was rewritten since, however well, does not: exits with 1.
    """
    kept = [_note(path) for path in notes]
    if export is not None:
        with export.open("rb") as lines:
            checked = check_export(lines, _given(key), kept)
        findings, end = checked.findings, checked.head.seq if checked.head else 0
    else:
        settings = prepared_settings()
        keys = _given(key) or trusted_keys(settings)
        checkpoints = [signed.checkpoint for signed in kept]
        if len({each.tenant_id for each in checkpoints}) > 1:
            raise OtherLog("The checkpoints are of several logs. Give those of one.")

        async def follow(conn: AsyncConnection[TupleRow]) -> tuple[int, Findings]:
            return await check_continues(conn, checkpoints[0].tenant_id, checkpoints)

        end, findings = with_owner(settings, follow)
        add_forged(kept, keys, findings)
    positions = sorted(signed.checkpoint.seq for signed in kept)
    answer(
        continued_text(positions, end, findings),
        continued_facts(positions, end, findings),
        as_json=as_json,
    )
    raise typer.Exit(FINDING if findings.count else 0)


@audit.command(name="replay")
def replay_log(
    *, tenant: OfTenant, to: To = WHOLE_LOG, after: From = 1, speed: Speed = None
) -> None:
    """Tell a log again: what happened, in its order, and what became what.

    Personal data stays sealed; who was forgotten since is told to be.
    """

    async def tell(conn: AsyncConnection[TupleRow]) -> None:
        [one] = await chosen_tenants(conn, tenant)
        extent = await select_extent(conn, one.tenant_id)
        before: datetime | None = None
        cast = Cast()
        until = min(to, extent.last_seq) if extent else 0
        async for replayed in replay(conn, one.tenant_id, until, cast):
            if replayed.seq < after:
                continue
            await asyncio.sleep(_pause(before, replayed.recorded_at, speed))
            before = replayed.recorded_at or before
            for line in replayed_lines(replayed, cast):
                typer.echo(line)

    with_owner(prepared_settings(), tell)


def _pause(before: datetime | None, now: datetime | None, speed: float | None) -> float:
    if before is None or now is None or speed is None:
        return 0.0
    return min(max(0.0, (now - before).total_seconds() / speed), LONGEST_PAUSE_SECONDS)


def _given(keys: list[str] | None) -> TrustedKeys | None:
    return trusted(map(PublicKey.read, keys)) if keys else None


def _note(path: Path) -> SignedCheckpoint:
    with path.open("rb") as file:
        text = file.read(MAX_NOTE_BYTES + 1)
    try:
        return SignedCheckpoint.read(text.decode())
    except (UnicodeDecodeError, WrongNote) as error:
        raise WrongNote(
            f"{path} is no signed checkpoint of a booking log, or is damaged: copy it whole."
        ) from error


def with_owner(
    settings: Settings, work: Callable[[AsyncConnection[TupleRow]], Awaitable[_Result]]
) -> _Result:
    """Do something as the owner of the tables.

    Args:
        settings: where the database is.
        work: is given a connection in autocommit.
    """

    async def connected() -> _Result:
        async with owner_session(database.owner_dsn) as conn:
            return await work(conn)

    with prepared_database(settings) as database:
        return asyncio.run(connected())
