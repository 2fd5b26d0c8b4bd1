"""`booking masterkey`: what it answers on the way from one key to the next."""

import json
from collections.abc import Callable

import pytest
from typer.testing import CliRunner, Result

from api.cli import _EXPECTED, app, workplace
from infra.master_key import MasterKey
from infra.settings import Settings, decode_secret
from infra.wrapped_secrets import PURPOSES, WrongMasterKey
from tests.master_keys.conftest import FIRST, NEW, OLD, SECOND, Ledger

Booking = Callable[..., Result]


@pytest.fixture
def booking(monkeypatch: pytest.MonkeyPatch) -> Booking:
    """The command line in this process, which is where its log goes on as it was."""
    monkeypatch.setattr(workplace, "configure_logging", lambda *_: None)

    def booking(*arguments: str, **settings: str) -> Result:
        for name in Settings.NAMES.values():
            monkeypatch.delenv(name, raising=False)
        return CliRunner().invoke(app, arguments, env=settings)

    return booking


def test_the_steps_from_one_master_key_to_the_next(ledger: Ledger, booking: Booking) -> None:
    both = {
        "DATABASE_URL": ledger.database.owner_dsn,
        "BOOKING_MASTER_KEY": SECOND.hex(),
        "BOOKING_MASTER_KEYS_ALSO": FIRST.hex(),
    }
    before = booking("masterkey", "status", **both)
    rewrapped = booking("masterkey", "rewrap", **both)
    after = booking("masterkey", "status", "--json", **both)
    alone = {**both, "BOOKING_MASTER_KEY": FIRST.hex(), "BOOKING_MASTER_KEYS_ALSO": ""}
    wrong = booking("masterkey", "status", **alone)
    refused = booking("scheduler", **alone)

    said = before.output + rewrapped.output + after.output + wrong.output
    assert [each.exit_code for each in (before, rewrapped, after, wrong)] == [1, 0, 0, 1], said
    assert f"{OLD.id.hex()}  at hand               3        {len(PURPOSES)}" in before.output
    assert "booking masterkey rewrap" in before.output
    assert "Customers' keys wrapped anew: 3." in rewrapped.output
    assert f"{OLD.id.hex()} is needed for older backups only" in rewrapped.output
    assert json.loads(after.output)["master_keys"] == [
        {"id": NEW.id.hex(), "state": "in force", "customer_keys": 3, "secrets": len(PURPOSES)},
        {"id": OLD.id.hex(), "state": "at hand", "customer_keys": 0, "secrets": 0},
    ]
    assert f"What is under {NEW.id.hex()} cannot be opened" in wrong.output
    assert not any(key.hex() in said for key in (FIRST, SECOND))
    assert isinstance(refused.exception, WrongMasterKey)
    assert isinstance(refused.exception, _EXPECTED)  # said in a sentence, with exit status 2


def test_a_new_key_is_printed_with_its_id(booking: Booking) -> None:
    made = booking("masterkey", "new", "--json")
    facts = json.loads(made.stdout.splitlines()[0])
    assert MasterKey(decode_secret(facts["key"])).id.hex() == facts["id"]
    assert f"This is the key {facts['id']}." in made.output
