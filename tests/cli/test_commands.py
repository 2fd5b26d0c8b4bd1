"""`booking migrate`, `tenant`, `apikey` and `serve`: what they answer, and their exit status."""

import base64
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import psycopg
import pytest

from infra.access import create_tenant
from infra.database import Database
from infra.postgres.embedded import MIGRATOR, SUPERUSER, EmbeddedPostgres
from infra.settings import Settings
from tests.projector_processes import is_projecting, projectors_of
from tests.scratch import scratch_directory

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "api.cli"]
MASTER_KEY = base64.b64encode(bytes(32)).decode()


def environment(**settings: str) -> dict[str, str]:
    ours = Settings.NAMES.values()
    return {name: value for name, value in os.environ.items() if name not in ours} | settings


def booking(*arguments: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # noqa: S603 - our own program
        [*COMMAND, *arguments],
        cwd=ROOT,
        env=environment(**settings),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@contextmanager
def serving(*arguments: str, **settings: str) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(  # noqa: S603 - our own program
        [*COMMAND, *arguments],
        cwd=ROOT,
        env=environment(LOG_LEVEL="WARNING", **settings),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=60)


def printed_until(process: "subprocess.Popen[str]", words: str) -> str:
    assert process.stdout is not None
    text = ""
    for line in process.stdout:
        text += line
        if words in line:
            return text
    raise AssertionError(text)


@pytest.fixture
def theirs(database: Database) -> dict[str, str]:
    """A server of one's own: the database is the owner's, for migrations and runtime alike."""
    return {"DATABASE_URL": database.owner_dsn, "BOOKING_MASTER_KEY": MASTER_KEY}


@pytest.fixture
def data_dir() -> Iterator[str]:
    with scratch_directory("booking-test-") as directory:
        yield f"{directory}/data"


def test_no_command_waits_for_the_web_framework_before_it_needs_it() -> None:
    loaded = "import sys, api.cli; print({'fastapi', 'starlette', 'uvicorn'} & set(sys.modules))"
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", loaded], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"


def test_migrate_says_what_it_applied_and_the_check_what_is_waiting(
    postgres: EmbeddedPostgres,
) -> None:
    with psycopg.connect(postgres.dsn(SUPERUSER, database="postgres"), autocommit=True) as conn:
        conn.execute(f"create database to_migrate owner {MIGRATOR}".encode())
        try:
            theirs = {
                "DATABASE_URL": postgres.dsn(MIGRATOR, database="to_migrate"),
                "BOOKING_MASTER_KEY": MASTER_KEY,
            }
            before = booking("migrate", "--check", "--json", **theirs)
            applied = booking("migrate", "--json", **theirs)
            after = booking("migrate", "--check", "--json", **theirs)
        finally:
            conn.execute("drop database to_migrate with (force)")

    assert (before.returncode, applied.returncode, after.returncode) == (1, 0, 0)
    waiting = json.loads(before.stdout)["waiting"]
    assert waiting[0] == "0001_roles.sql"
    assert json.loads(applied.stdout) == {"applied": waiting}
    assert json.loads(after.stdout) == {"waiting": []}


@pytest.mark.on_one_postgres
def test_a_tenant_and_its_key_are_made(theirs: dict[str, str]) -> None:
    tenant = booking("tenant", "create", "babelsberg", "--name", "Studio Babelsberg", **theirs)
    key = booking("apikey", "create", "--tenant", "babelsberg", "--role", "booker", **theirs)

    assert "booking apikey create --tenant babelsberg" in tenant.stdout
    assert re.fullmatch(r"bk_[\w-]{43}\n", key.stdout)
    assert "not shown again" in key.stderr


@pytest.mark.on_one_postgres
@pytest.mark.parametrize(
    ("when", "says"),
    [
        ("", "does not answer in time"),
        ("deferrable initially deferred", "Look whether it was done"),
    ],
)
def test_a_database_that_goes_away_is_told_in_a_sentence(
    theirs: dict[str, str], when: str, says: str
) -> None:
    with psycopg.connect(theirs["DATABASE_URL"]) as conn:
        create_tenant(conn, "nova", "Nova")
        goes = f"""
            create function booking.goes() returns trigger language plpgsql as
                $$ begin raise exception using errcode = 'admin_shutdown'; end $$;
            create constraint trigger goes after insert on booking.webhook_endpoint
                {when} for each row execute function booking.goes()
        """
        conn.execute(goes.encode())
    address = ("--url", "https://hooks.example/bookings")
    done = booking("webhook", "create", "--tenant", "nova", *address, **theirs)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.on_one_postgres
def test_a_tenants_limits_are_set_shown_and_unset(theirs: dict[str, str]) -> None:
    with psycopg.connect(theirs["DATABASE_URL"]) as conn:
        create_tenant(conn, "nova", "Nova")

    def limits(*options: str) -> dict[str, object]:
        done = booking("tenant", "limits", "nova", *options, "--json", **theirs)
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout))

    names = ("rate", "burst", "key_rate", "key_burst", "hold_ceiling", "customer_hold_ceiling")
    nothing = {"slug": "nova", **dict.fromkeys(names)}
    assert limits("--rate", "50", "--key-burst", "7") == nothing | {"rate": 50, "key_burst": 7}
    told = booking("tenant", "limits", "nova", "--burst", "90", "--holds", "20", **theirs).stdout
    assert "in all:   50 requests a second, 90 at once" in told
    assert "each key: BOOKING_KEY_RATE requests a second, 7 at once" in told
    assert "holds:    20 in all, BOOKING_CUSTOMER_HOLD_CEILING of each customer" in told
    assert limits("--default") == nothing


@pytest.mark.on_one_postgres
def test_a_keys_life_is_told_step_by_step(theirs: dict[str, str]) -> None:
    with psycopg.connect(theirs["DATABASE_URL"]) as conn:
        create_tenant(conn, "babelsberg", "Studio Babelsberg")

    def apikey(*arguments: str) -> "subprocess.CompletedProcess[str]":
        done = booking("apikey", *arguments, "--tenant", "babelsberg", **theirs)
        assert done.returncode == 0, done.stderr
        return done

    options = ("--role", "booker", "--name", "Website", "--expires", "90d", "--json")
    made = json.loads(apikey("create", *options).stdout)
    rotated = apikey("rotate", made["prefix"], "--overlap", "2h")
    revoked = apikey("revoke", made["id"])
    listed = apikey("list", "--json")
    shown = apikey("list")

    assert made["key"].startswith(made["prefix"])
    assert (made["role"], made["name"], made["state"]) == ("booker", "Website", "active")
    assert made["expires_at"] > made["created_at"]
    assert re.fullmatch(r"bk_[\w-]{43}\n", rotated.stdout)
    assert f"booking apikey revoke {made['prefix']} --tenant babelsberg" in rotated.stderr
    assert "10 seconds" in revoked.stdout
    assert "booking apikey create --tenant babelsberg --role booker" in revoked.stdout
    old, new = json.loads(listed.stdout)["keys"]
    assert (old["state"], new["state"]) == ("revoked", "active")
    assert (old["replaced_by"], new["replaces"]) == (new["id"], old["id"])
    assert shown.stdout.count("Website") == 2
    for secret in (made["key"], rotated.stdout.strip()):
        assert secret not in listed.stdout + shown.stdout + revoked.stdout


@pytest.mark.on_one_postgres
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["tenant", "limits", "nobody"], "booking tenant create nobody"),
        (["tenant", "limits", "nobody", "--rate", "-1"], "--rate"),
        (["tenant", "limits", "nobody", "--rate", "1", "--none"], "not two of these"),
        (["apikey", "create", "--tenant", "nobody", "--role", "admin"], "booking tenant create"),
        (["apikey", "create", "--tenant", "nobody", "--role", "boss"], "'boss' is not one of"),
        (["apikey", "create", "--tenant", "a", "--role", "admin", "--expires", "soon"], "90d"),
        (["tenant", "create", "Not A Slug", "--name", "x"], "lower-case"),
        (["tenant", "create", "slug"], "Missing option '--name'"),
    ],
)
def test_misuse_is_told_without_a_traceback(
    theirs: dict[str, str], arguments: list[str], says: str
) -> None:
    done = booking(*arguments, **theirs)

    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"PORT": "eighty"}, "PORT: "),
        ({"DATABASE_URL": "postgresql:///x"}, "BOOKING_MASTER_KEY is needed"),
        (
            {"DATABASE_URL": "host=/nonexistent dbname=x", "BOOKING_MASTER_KEY": MASTER_KEY},
            "DATABASE_URL: ",
        ),
    ],
)
@pytest.mark.parametrize("command", ["serve", "api", "migrate", "scheduler"])
def test_a_wrong_setting_is_told_without_a_traceback(
    command: str, settings: dict[str, str], says: str
) -> None:
    port = {} if "PORT" in settings else {"PORT": "0"}

    done = booking(command, **settings, **port)

    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_told_before_anything_starts(data_dir: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = booking("serve", "--port", str(port), BOOKING_DATA_DIR=data_dir)

    assert done.returncode == 2
    assert f"127.0.0.1:{port}" in done.stderr
    assert not Path(data_dir).exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_uses_a_database_of_ones_own_and_leaves_it_running(
    theirs: dict[str, str], number: signal.Signals
) -> None:
    with serving("serve", "--port", "0", **theirs) as process:
        text = printed_until(process, "Stop it with")
        assert "booking tenant create" in text
        address = text.split("listens at ")[1].split()[0]
        with urlopen(f"{address}/readyz", timeout=10) as answer:  # noqa: S310 - our own server
            assert answer.status == 200
        (projector,) = projectors_of(process.pid)
        process.send_signal(number)
        assert process.wait(timeout=60) == 0
        assert not is_projecting(projector)

    with psycopg.connect(theirs["DATABASE_URL"]) as conn:
        assert conn.execute("select count(*) from booking.tenant").fetchone() == (0,)


def test_serve_with_workers_shares_one_embedded_database_and_keeps_the_key(data_dir: str) -> None:
    settings = {"BOOKING_DATA_DIR": data_dir}
    keys = []
    for _ in range(2):
        with serving("serve", "--port", "0", "--workers", "2", **settings) as process:
            text = printed_until(process, "Stop it with")
            keys.append(text.split("demo: ")[1].split()[0])
            joined = booking("migrate", "--check", **settings)
            assert joined.returncode == 0
            assert len(projectors_of(process.pid)) == 1
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=60) == 0
        assert not (Path(data_dir) / "postgres" / "cluster" / "postmaster.pid").exists()

    assert keys[0] == keys[1]
    assert keys[0].startswith("bk_")


def test_the_tenant_demo_is_there_before_any_server_has_run() -> None:
    with scratch_directory("booking-cli-") as directory:
        data_dir = str(Path(directory) / "data")
        made = booking(
            "apikey", "create", "--tenant", "demo", "--role", "viewer", BOOKING_DATA_DIR=data_dir
        )
    assert made.returncode == 0, made.stderr
    assert "bk_" in made.stdout
