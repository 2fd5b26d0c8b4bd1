"""`booking webhook`: what it answers, and its exit status."""

import json
from collections.abc import Callable

import pytest
from typer.testing import CliRunner, Result

from api.cli import _EXPECTED, app, workplace
from infra.database import Database
from infra.settings import Settings
from tests.webhooks.conftest import execute, rows

MASTER_KEY = "ab" * 32
URL = "https://hooks.example/bookings"

Booking = Callable[..., Result]


@pytest.fixture
def booking(database: Database, monkeypatch: pytest.MonkeyPatch) -> Booking:
    """The command line in this process."""
    monkeypatch.setattr(workplace, "configure_logging", lambda *_: None)
    for name in Settings.NAMES.values():
        monkeypatch.delenv(name, raising=False)
    settings = {"DATABASE_URL": database.owner_dsn, "BOOKING_MASTER_KEY": MASTER_KEY}

    def booking(*arguments: str) -> Result:
        return CliRunner().invoke(app, [*arguments], env=settings)

    made = booking("tenant", "create", "nova", "--name", "Nova")
    assert made.exit_code == 0, made.output
    return booking


def test_the_life_of_an_endpoint(booking: Booking, database: Database) -> None:
    def webhook(*arguments: str) -> Result:
        done = booking("webhook", *arguments, "--tenant", "nova")
        assert done.exit_code == 0, done.output
        return done

    made = json.loads(
        webhook("create", "--url", URL, "--topic", "booking.confirmed", "--json").stdout
    )
    endpoint = made["id"]
    assert (made["url"], made["topics"]) == (URL, ["booking.confirmed"])
    assert made["secret"].startswith("whsec_")
    assert f"{endpoint}  enabled" in webhook("list").stdout
    second = webhook("rotate", endpoint).stdout.strip()
    assert second.startswith("whsec_")
    assert second != made["secret"]
    assert "is disabled: requested." in webhook("disable", endpoint).stdout
    assert "is enabled." in webhook("enable", endpoint).stdout
    told = webhook("show", endpoint).stdout
    assert "disabled: requested" in told
    assert "booking.confirmed" in told

    execute(
        database,
        "insert into booking.webhook_message (tenant_id, endpoint_id, seq, stream_id, topic,"
        " state, ended_at, next_attempt_at) select tenant_id, endpoint_id, 1, endpoint_id,"
        " 'booking.confirmed', 'given_up', now(), now() from booking.webhook_endpoint;"
        "insert into booking.webhook_attempt select tenant_id, endpoint_id, 1, 1, now(), 87, 500,"
        " 'status' from booking.webhook_endpoint",
    )
    told = webhook("deliveries", endpoint).stdout
    assert "1  given_up   booking.confirmed" in told
    assert "500 in 87 ms" in told
    facts = json.loads(webhook("deliveries", endpoint, "--state", "delivered", "--json").stdout)
    assert facts == {"deliveries": []}

    assert "nothing any more" in webhook("delete", endpoint).stdout
    assert rows(database, "select from booking.webhook_message") == []


def test_a_span_is_sent_once_more(booking: Booking, database: Database) -> None:
    made = booking("webhook", "create", "--url", URL, "--tenant", "nova", "--json")
    endpoint = json.loads(made.stdout)["id"]
    execute(
        database,
        "insert into booking.event select tenant_id, 1, endpoint_id, 1, 'resource.retired', '{}',"
        " '{}', now(), '' from booking.webhook_endpoint;"
        "update booking.webhook_endpoint set seq = 1",
    )
    replay = ("webhook", "replay", endpoint, "--tenant", "nova", "--after", "0", "--until")
    done = booking(*replay, "1", "--json")
    assert json.loads(done.stdout) == {"messages": 1}
    ahead = booking(*replay, "2")
    assert isinstance(ahead.exception, _EXPECTED)
    assert "sent before: at most 1" in str(ahead.exception)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["create", "--url", "http://hooks.example"], "--url: Expected an https address"),
        (["create", "--url", URL, "--topic", "booking.sold"], "There is no event booking.sold"),
        (["show", "01981d2a-7c00-7a3e-8f10-5b1c6e2d9f06"], "There is no endpoint"),
    ],
)
def test_what_cannot_be_done_is_said(booking: Booking, arguments: list[str], says: str) -> None:
    refused = booking("webhook", *arguments, "--tenant", "nova")
    assert isinstance(refused.exception, _EXPECTED)
    assert says in str(refused.exception)
