"""`booking masterkey`: what is wrapped under which master key, and all of it under the new one."""

import secrets
from base64 import b64encode
from collections.abc import Iterator, Sequence

import psycopg
import typer
from psycopg import Connection
from psycopg.rows import TupleRow
from pydantic import JsonValue

from api.cli.workplace import AsJson, answer, prepared_database, prepared_settings
from infra.database import Database
from infra.kept_secrets import MASTER_KEY_FILE, master_key_of
from infra.master_key import KEY_BYTES, UNNAMED, MasterKey
from infra.rewrapping import WrappedUnder, rewrap, wrapped_under
from infra.settings import Settings
from infra.wrapped_secrets import open_secrets

FINDING = 1

masterkey = typer.Typer(help="The master key: how it is replaced while bookings go on.")


@masterkey.command()
def new(*, as_json: AsJson = False) -> None:
    """Make a key, and print it; it is kept nowhere."""
    secret = secrets.token_bytes(KEY_BYTES)
    text = b64encode(secret).decode()
    key_id = MasterKey(secret).id.hex()
    answer(text, {"key": text, "id": key_id}, as_json=as_json)
    typer.echo(
        f"This is the key {key_id}. First add it to BOOKING_MASTER_KEYS_ALSO of every process; the "
        "steps after that are in docs/master-key.md.",
        err=True,
    )


@masterkey.command()
def status(*, as_json: AsJson = False) -> None:
    """Tell how much is wrapped under which master key; exit 1 if not all is under one."""
    settings = prepared_settings()
    with prepared_database(settings) as database, _owner(database) as conn:
        found = wrapped_under(conn)
    _tell(found, settings, as_json=as_json)


@masterkey.command("rewrap")
def rewrap_all(*, as_json: AsJson = False) -> None:
    """Wrap everything under the master key in force, while bookings go on.

    It can be stopped at any moment and run again, and goes on where it was.
    """
    settings = prepared_settings()
    master_key = master_key_of(settings)
    done: list[int] = []
    with prepared_database(settings) as database, _owner(database) as conn:
        kept = open_secrets(database.runtime_dsn, master_key)
        rewrap(conn, master_key, kept, done.append)
        found = wrapped_under(conn)
    if not as_json:
        typer.echo(f"Customers' keys wrapped anew: {sum(done):,}.")
    _tell(found, settings, as_json=as_json)


def _owner(database: Database) -> Connection[TupleRow]:
    return psycopg.connect(database.owner_dsn, autocommit=True, application_name="booking")


def _tell(found: Sequence[WrappedUnder], settings: Settings, *, as_json: bool) -> None:
    master_key = master_key_of(settings)
    others = [each for each in found if each.master_key_id != master_key.id]
    text = "\n".join([*_lines(found, master_key), _next_step(others, settings)])
    facts: list[JsonValue] = [
        {
            "id": each.master_key_id.hex(),
            "state": _state(each.master_key_id, master_key),
            "customer_keys": each.customer_keys,
            "secrets": each.secrets,
        }
        for each in _with_idle(found, master_key)
    ]
    answer(text, {"master_keys": facts}, as_json=as_json)
    raise typer.Exit(FINDING if others else 0)


def _with_idle(found: Sequence[WrappedUnder], master_key: MasterKey) -> list[WrappedUnder]:
    """Adds the keys at hand under which there is nothing."""
    named = {each.master_key_id for each in found}
    idle = [WrappedUnder(key_id, 0, 0) for key_id in sorted(master_key.ids - named)]
    return sorted([*found, *idle], key=lambda each: each.master_key_id != master_key.id)


def _lines(found: Sequence[WrappedUnder], master_key: MasterKey) -> Iterator[str]:
    yield f"{'MASTER KEY':16}  {'STATE':8}  {'CUSTOMER KEYS':>13}  {'SECRETS':>7}"
    for each in _with_idle(found, master_key):
        name = each.master_key_id.hex() or "(not noted)"
        state = _state(each.master_key_id, master_key)
        yield f"{name:16}  {state:8}  {each.customer_keys:13,}  {each.secrets:7}"


def _state(key_id: bytes, master_key: MasterKey) -> str:
    if key_id == master_key.id:
        return "in force"
    return "at hand" if key_id in master_key.ids | {UNNAMED} else "missing"


def _next_step(others: Sequence[WrappedUnder], settings: Settings) -> str:
    master_key = master_key_of(settings)
    missing = [each for each in others if _state(each.master_key_id, master_key) == "missing"]
    if missing:
        named = ", ".join(each.master_key_id.hex() for each in missing)
        return (
            f"What is under {named} cannot be opened: add that key to BOOKING_MASTER_KEYS_ALSO. "
            "No process starts without it."
        )
    if others:
        return "Once every process has all keys at hand: booking masterkey rewrap"
    idle = ", ".join(sorted(key_id.hex() for key_id in master_key.ids - {master_key.id}))
    if not idle:
        return "All is under the key in force."
    kept_in = "BOOKING_MASTER_KEYS_ALSO"
    if settings.master_key is None:
        kept_in = str(settings.data_dir / MASTER_KEY_FILE)
    return (
        f"All is under the key in force. Where that is so in every process, {idle} is needed for "
        f"older backups only: take it out of {kept_in}."
    )
