"""Log lines: one form for ours and for the libraries', and nothing in them that must not be."""

import json
import logging
import subprocess
import sys
from uuid import UUID

import pytest
import structlog

from domain.ids import ResourceId, TenantId
from infra.publishing.tokens import PublicTokens, Published
from infra.telemetry.logging import withhold_secrets
from infra.telemetry.tracebacks import WITHHELD, told

# In a process of its own: the log is set up once in each.
SCRIPT = """
import logging, sys
import structlog
from infra.telemetry.logging import configure_logging

configure_logging("INFO", sys.argv[1])
log = structlog.get_logger("ours")
with structlog.contextvars.bound_contextvars(request_id="r-1"):
    log.info("booked", customer={"email": "ada@example.org"}, seq=7)
    logging.getLogger("theirs").warning("key bk_%s", "A" * 43, extra={"authorization": "Bearer x"})
log.debug("too fine")
logging.getLogger("uvicorn.access").info("GET /")
try:
    secret = "local-" + "variable"
    raise ValueError("broken")
except ValueError:
    log.exception("failed")
try:
    try:
        int("Ada" + " Lovelace")
    except ValueError as error:
        raise KeyError("ada" + "@example.org") from error
except KeyError as error:
    logging.getLogger("theirs").exception("failed too")
    log.warning("told", error=error)
"""


def lines(form: str) -> list[str]:
    done = subprocess.run(  # noqa: S603 - this test's own words
        [sys.executable, "-c", SCRIPT, form], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == ""
    return done.stderr.splitlines()


def test_every_line_is_json_with_the_request_id_and_without_secrets() -> None:
    ours, theirs, failed, too, short = map(json.loads, lines("json"))

    assert ours["event"] == "booked"
    assert (ours["request_id"], theirs["request_id"]) == ("r-1", "r-1")
    assert (ours["customer"], ours["seq"]) == (WITHHELD, 7)
    assert theirs["event"] == f"key {WITHHELD}"
    assert theirs["authorization"] == WITHHELD
    assert (ours["logger"], theirs["level"]) == ("ours", "warning")
    assert "ValueError: broken" in failed["exception"]
    assert "request_id" not in failed
    assert f"ValueError: invalid literal for int() with base 10: {WITHHELD}" in too["exception"]
    assert too["exception"].endswith(f"KeyError: {WITHHELD}")
    assert short["error"] == f"KeyError: {WITHHELD}"


def test_people_get_the_same_without_the_values_of_variables() -> None:
    text = "\n".join(lines("console"))

    assert "request_id=r-1" in text
    assert "ValueError: broken" in text
    assert "ada@example.org" not in text
    assert "local-variable" not in text
    assert "KeyError: " in text
    assert "Lovelace" not in text


@pytest.mark.parametrize(
    "name",
    [
        "authorization",
        "Authorization",
        "api_key",
        "API-Key",
        "customer",
        "customers",
        "cookie",
        "password",
        "db_password",
        "master_key",
        "idempotency_key",
        "clerk_webhook_secret",
        "dsn",
        "access_token",
        "migration_database_url",
    ],
)
def test_a_secret_is_known_by_its_name_at_any_depth(name: str) -> None:
    event = {"event": "e", name: "hush", "in": {"deep": [{name: "hush"}]}}

    shown = withhold_secrets(logging.getLogger(), "info", event)

    assert "hush" not in json.dumps(shown)


@pytest.mark.parametrize(
    "secret",
    [
        "bk_" + "A" * 43,
        "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ1c2VyIn0.c2lnbmF0dXJl",
        "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ1c2VyIn0",
        "whsec_bm90aGluZyB0byBzZWU=",
        PublicTokens(bytes(32)).make(
            Published(TenantId(UUID(int=1)), ResourceId(UUID(int=2)), UUID(int=3))
        ),
    ],
)
def test_a_secret_is_known_wherever_it_stands(secret: str) -> None:
    event = {"event": f"at /v1/{secret}/x", "path": f"/{secret}", "told": ("Bearer", secret)}

    shown = withhold_secrets(structlog.get_logger(), "info", event)

    assert secret not in str(shown)
    assert shown["path"] == f"/{WITHHELD}"


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (ValueError("no time: 'Ada'"), f"ValueError: no time: {WITHHELD}"),
        (
            ValueError("it isn't 'Ada' or \"Bob's\""),
            f"ValueError: it isn't {WITHHELD} or {WITHHELD}",
        ),
        (ValueError("open 'Ada"), f"ValueError: open {WITHHELD}"),
        (ValueError("first\nAda"), "ValueError: first"),
        (ValueError("'Ada' isn't 'Bob'"), f"ValueError: {WITHHELD}"),
        (ValueError(), "ValueError"),
        (KeyError("Ada"), f"KeyError: {WITHHELD}"),
    ],
)
def test_an_error_is_told_without_what_it_quotes(error: Exception, says: str) -> None:
    assert told(error) == says


def test_a_password_in_an_address_is_withheld() -> None:
    event = {"event": "at postgresql://ada:hush@db.example/booking", "seq": 1}

    shown = withhold_secrets(structlog.get_logger(), "info", event)

    assert shown == {"event": f"at postgresql://ada:{WITHHELD}@db.example/booking", "seq": 1}


def test_what_only_looks_alike_is_shown() -> None:
    event = {"event": "stop", "customer_id": "c-1", "key_id": "k-1", "keys": 3, "position": 9}

    assert withhold_secrets(structlog.get_logger(), "info", dict(event)) == event
