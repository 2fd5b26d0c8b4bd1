"""`booking apikey`: keys are made, listed, revoked and replaced."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import typer
from pydantic import JsonValue

from api.cli.workplace import AsJson, answer, owner_connection
from api.feed_address import address_with
from domain.ids import ResourceId
from infra.access import (
    IssuedKey,
    KeyRecord,
    Role,
    issue_api_key,
    list_api_keys,
    revoke_api_key,
    rotate_api_key,
)
from infra.access.api_keys import TRUST_SECONDS
from infra.access.lifetimes import duration_from, expiry_from

apikey = typer.Typer(help="API keys: how a client shows whom it speaks for.")

OfTenant = Annotated[str, typer.Option("--tenant", help="The tenant's slug.", metavar="SLUG")]
OfResource = Annotated[
    UUID | None,
    typer.Option(
        "--resource",
        help="With the role feed: the one resource whose calendar it shows; else all of them.",
        metavar="ID",
    ),
]
OfRole = Annotated[Role, typer.Option("--role", help="What the key allows.")]
Name = Annotated[str | None, typer.Option("--name", help="What it is for.")]
Expires = Annotated[
    str | None,
    typer.Option(
        "--expires",
        help="When it ceases to let in: after 90d, 12h, 30m or 2w, or at a time of ISO 8601 with "
        "its offset; else never.",
        metavar="DURATION|TIME",
    ),
]
Handle = Annotated[
    str, typer.Argument(help="The key's prefix or id, as `list` shows it.", metavar="PREFIX|ID")
]
Overlap = Annotated[
    str,
    typer.Option(
        "--overlap",
        help="How long the old key still lets in: 24h, 30m, 2d; 0m for no longer.",
        metavar="DURATION",
    ),
]

_COLUMNS = ("PREFIX", "ROLE", "STATE", "CREATED", "EXPIRES", "LAST USED", "NAME", "ID")


@apikey.command()
def create(
    *,
    tenant: OfTenant,
    role: OfRole,
    resource: OfResource = None,
    name: Name = None,
    expires: Expires = None,
    as_json: AsJson = False,
) -> None:
    """Make an API key; it is shown this once.

    With the role feed it is the address of a calendar feed, for programs that
    subscribe to one.
    """
    expires_at = None if expires is None else expiry_from(expires, datetime.now(UTC))
    with owner_connection() as conn:
        issued = issue_api_key(
            conn,
            tenant,
            role,
            name=name,
            resource_id=None if resource is None else ResourceId(resource),
            expires_at=expires_at,
        )
    _hand_out(issued, {"tenant": tenant}, as_json=as_json)


@apikey.command("list")
def list_keys(*, tenant: OfTenant, as_json: AsJson = False) -> None:
    """Tell the keys of a tenant: all that were ever made, but never the keys themselves."""
    with owner_connection() as conn:
        records = list_api_keys(conn, tenant)
    text = _table(records) if records else f"{tenant} has no key. {_make_one(tenant)}"
    answer(text, {"tenant": tenant, "keys": [_facts(one) for one in records]}, as_json=as_json)


@apikey.command()
def revoke(handle: Handle, *, tenant: OfTenant, as_json: AsJson = False) -> None:
    """Let a key in no more."""
    with owner_connection() as conn:
        revoked = revoke_api_key(conn, tenant, handle)
    answer(
        f"The key {revoked.handle} is revoked. Servers that have seen it lately let it in for "
        f"{TRUST_SECONDS:g} seconds more at most.\n"
        f"Who used it needs another: booking apikey create --tenant {tenant} --role {revoked.role}",
        {"tenant": tenant, **_facts(revoked)},
        as_json=as_json,
    )


@apikey.command()
def rotate(
    handle: Handle, *, tenant: OfTenant, overlap: Overlap = "24h", as_json: AsJson = False
) -> None:
    """Make a key in place of another; it is shown this once.

    It has the old one's role, name and length of life. The old one goes on
    letting in for a while.
    """
    while_both = duration_from(overlap)
    with owner_connection() as conn:
        issued, old = rotate_api_key(conn, tenant, handle, while_both)
    _hand_out(issued, {"tenant": tenant, "old": _facts(old)}, as_json=as_json)
    typer.echo(_until_when(old, tenant), err=True)


def _hand_out(issued: IssuedKey, facts: dict[str, JsonValue], *, as_json: bool) -> None:
    """Show the key: it alone on standard output, or with what is kept of it in JSON."""
    shown: dict[str, JsonValue] = {**facts, "key": issued.secret, **_facts(issued.record)}
    answer(issued.secret, shown, as_json=as_json)
    typer.echo(
        f"Keep it: it is not stored and not shown again. {_how_to_use(issued.record)}", err=True
    )


def _how_to_use(record: KeyRecord) -> str:
    if record.role == "feed":
        return f"Subscribe to <address of the server>{address_with('<key>')}"
    return "Send it as `Authorization: Bearer <key>`."


def _until_when(old: KeyRecord, tenant: str) -> str:
    if old.state != "active":
        return f"The old key {old.handle} lets in no more: put the new one in its place now."
    return (
        f"The old key {old.handle} lets in until {_minute(old.expires_at)}: put the new one in its "
        f"place by then. To end it sooner: booking apikey revoke {old.handle} --tenant {tenant}"
    )


def _make_one(tenant: str) -> str:
    return f"Make one: booking apikey create --tenant {tenant} --role admin"


def _facts(record: KeyRecord) -> dict[str, JsonValue]:
    return {
        "id": str(record.key_id),
        "prefix": record.prefix,
        "name": record.name,
        "role": record.role,
        "resource_id": None if record.resource_id is None else str(record.resource_id),
        "state": record.state,
        "created_at": _instant(record.created_at),
        "expires_at": _instant(record.expires_at),
        "last_used_at": _instant(record.last_used_at),
        "revoked_at": _instant(record.revoked_at),
        "replaces": None if record.replaces is None else str(record.replaces),
        "replaced_by": None if record.replaced_by is None else str(record.replaced_by),
    }


def _table(records: Sequence[KeyRecord]) -> str:
    rows = [
        (
            record.prefix or "-",
            record.role,
            "replaced" if record.state == "active" and record.replaced_by else record.state,
            _minute(record.created_at),
            _minute(record.expires_at),
            _minute(record.last_used_at),
            record.name or "-",
            str(record.key_id),
        )
        for record in records
    ]
    widths = [max(map(len, column)) for column in zip(_COLUMNS, *rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (_COLUMNS, *rows)
    ]
    return "\n".join(lines)


def _instant(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _minute(moment: datetime | None) -> str:
    return "-" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%MZ}"
