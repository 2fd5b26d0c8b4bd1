"""No secret and no personal data in the log, whatever is sent, and whatever fails."""

import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from itertools import count

import httpx
import psycopg
import pytest
from websockets.sync.client import connect

from infra.postgres.embedded import SUPERUSER, EmbeddedPostgres
from tests.acceptance.conftest import (
    DEMO_KEY,
    PATIENCE_SECONDS,
    ROOT,
    House,
    Serving,
    booking,
    environment,
    register,
)

KEY = "bk_" + "Canary0key" * 5
TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJjYW5hcnkiOiJ0b2tlbiJ9.Y2FuYXJ5LXNpZ25hdHVyZQ"  # noqa: S105 - a canary
ODD_TOKEN = "canary-token-of-no-known-form"  # noqa: S105 - a canary
WEBHOOK = "whsec_Y2FuYXJ5LXdlYmhvb2stc2VjcmV0LW9mLWl0cy1mb3Jt"
PASSWORD = "canary-password-of-redis"  # noqa: S105 - a canary
SETTINGS = {
    "BOOKING_METRICS_TOKEN": "canary-token-of-metrics",
    "CLERK_ISSUER": "http://127.0.0.1:1",  # nobody is there
    "CLERK_WEBHOOK_SECRET": WEBHOOK,
    "REDIS_URL": f"redis://:{PASSWORD}@127.0.0.1:1/0",
    "LOG_LEVEL": "DEBUG",
}
CUSTOMER = {
    "id": "canary-customer-id",
    "name": "Canary O'Person",
    "email": "canary@person.example",
    "phone": "+43 660 0002473",
}
TEXTS: dict[str, object] = {
    "title": "canary-title 'quoted'",
    "notes": 'canary-notes "quoted"',
    "reference": "canary-reference",
    "attributes": {"canary-attribute": "canary-value"},
}
FAULT = "canary-fault"
REASON = "canary-reason"
"""In the title of a booking that the database refuses to store, for a reason of the test's own."""

CANARIES = [
    KEY, TOKEN, ODD_TOKEN, WEBHOOK, PASSWORD, DEMO_KEY,
    SETTINGS["BOOKING_METRICS_TOKEN"],
    *CUSTOMER.values(), "Person", "person.example", "660 0002473",
    "canary-title", "canary-notes", "canary-reference", "canary-attribute", "canary-value",
    FAULT, REASON,
]  # fmt: skip

DAYS = count()


def canary_booking(stage: str) -> dict[str, object]:
    return booking(stage, day=next(DAYS)) | {"customer": CUSTOMER} | TEXTS


def wrong_bodies(stage: str) -> Iterator[bytes]:
    good = canary_booking(stage)
    yield json.dumps(good)[:-1].encode()
    yield json.dumps(good).encode() + b"\xff"
    yield json.dumps(good | {"canary-attribute": 1}).encode()
    yield json.dumps(good | {"status": TEXTS["title"]}).encode()
    yield json.dumps(good | {"start_time": TEXTS["title"]}).encode()
    yield json.dumps(good | {"resource_ids": [TEXTS["title"]]}).encode()
    yield json.dumps(good | {"customer": CUSTOMER["email"]}).encode()
    yield json.dumps(good | {"customer": CUSTOMER | {"phone": [CUSTOMER["phone"]]}}).encode()
    yield json.dumps(good | {"notes": "canary-notes\0"}).encode()
    yield json.dumps(good | {"notes": "canary-notes" * 10_000}).encode()


def send_everything(serving: Serving) -> None:
    """Good requests, refused, malformed and strange ones, and some that meet a fault."""
    with serving.client() as api:
        stage = register(api, "canary-title")
        made = api.post("/v1/bookings", json=canary_booking(stage)).json()
        again = {name: made[name] for name in ("resource_ids", "start_time", "end_time")}
        taken = canary_booking(stage) | again
        key = {"Idempotency-Key": f"canary-reference-{next(DAYS)}"}
        assert api.post("/v1/bookings", json=taken, headers=key).status_code == 409
        assert api.post("/v1/bookings", json=canary_booking(stage), headers=key).status_code == 422
        at = f"/v1/bookings/{made['id']}"
        assert api.patch(at, json=TEXTS | {"customer": CUSTOMER}).status_code == 200
        assert api.post(f"{at}/cancel", json={"reason": REASON}).status_code == 200
        assert api.post(f"{at}/cancel", json={"reason": REASON}).status_code == 409
        commands = {"commands": [canary_booking(stage) | {"type": "book"}], "atomic": True}
        assert api.post("/v1/commands", json=commands).json()["applied"] is True
        assert api.get("/v1/resources", params={"kind": "canary-title"}).status_code == 200
        assert api.get("/v1/resources", params={"cursor": TOKEN}).status_code == 422
        assert api.get("/v1/events", params={"topic": ODD_TOKEN}).status_code == 422
        for body in wrong_bodies(stage):
            json_type = {"Content-Type": "application/json"}
            refused = api.post("/v1/bookings", content=body, headers=json_type)
            assert 400 <= refused.status_code < 500, refused.text
        assert api.post("/v1/bookings", content="canary-notes").status_code == 415
        for secret in (KEY, TOKEN, WEBHOOK):
            assert api.get(f"/v1/{secret}").status_code == 404
            strange = {"X-Request-Id": secret, "svix-signature": f"v1,{secret}"}
            assert api.post("/v1/webhooks", headers=strange).status_code == 404
        fault = canary_booking(stage) | {"title": FAULT}
        assert api.post("/v1/bookings", json=fault).status_code == 500
        faulty = [canary_booking(stage) | {"title": FAULT, "type": "book"} for _ in range(3)]
        assert api.post("/v1/commands", json={"commands": faulty, "atomic": False}).is_success
    for shown in (KEY, TOKEN, ODD_TOKEN, SETTINGS["BOOKING_METRICS_TOKEN"]):
        with serving.client(shown) as stranger:
            assert stranger.get("/v1/resources").status_code == 401
    basic = httpx.get(f"{serving.address}/v1/resources", auth=(CUSTOMER["id"], PASSWORD))
    assert basic.status_code == 401
    with socket.create_connection(("127.0.0.1", int(serving.address.rpartition(":")[2]))) as raw:
        raw.sendall(f"GET /{KEY} HTTP/9 {TOKEN}\r\nAuthorization {ODD_TOKEN}\r\n\r\n".encode())
        assert raw.recv(100).startswith(b"HTTP/1.1 400")


def sign_in_by_socket(serving: Serving) -> None:
    """As told, and with the token where it must not be."""
    address = f"{serving.address}/socket.io/?EIO=4&transport=websocket".replace("http", "ws", 1)
    for shown in (DEMO_KEY, TOKEN, ODD_TOKEN):
        with connect(f"{address}&token={shown}") as websocket:
            websocket.recv(timeout=PATIENCE_SECONDS)
            websocket.send("40" + json.dumps({"token": shown}))
            answer = str(websocket.recv(timeout=PATIENCE_SECONDS))
            assert answer.startswith("40" if shown == DEMO_KEY else "44")


def read_what_cannot_be_read(serving: Serving, owner: psycopg.Connection) -> None:
    with serving.client() as api:
        owner.execute("update booking.resource set kind = %s", [FAULT])
        assert api.get("/v1/resources").status_code == 500
        owner.execute("update booking.resource set kind = 'stage'")


def logged(serving: Serving) -> list[str]:
    """All that was printed, but for the key of the demo, which whoever starts it is to see."""
    return [line for line in serving.printed if not line.startswith("API key of the tenant demo")]


def clients_in(lines: list[str]) -> set[str]:
    """The ports of all addresses; a client's address is personal data."""
    return {port for line in lines for port in re.findall(r"127\.0\.0\.1:(\d+)", line)}


@pytest.fixture
def faulty(house: House) -> Iterator[tuple[House, psycopg.Connection]]:
    """A database that fails for some bookings, and quotes them when it does."""
    serving = house.open(**SETTINGS)
    with serving.client() as api:
        assert "ratelimit" not in api.get("/v1/resources").headers  # the demo has no limits
    with (
        EmbeddedPostgres(house.data_dir / "postgres") as server,
        psycopg.connect(server.dsn(SUPERUSER), autocommit=True) as conn,
    ):
        conn.execute(f"alter table booking.event add check (state not like '%{FAULT}%')".encode())
        # To read a resource of that kind fails, and the error quotes the kind.
        conn.execute(
            "create policy canary on booking.resource as restrictive to booking_api"
            f" using (case kind when '{FAULT}' then kind::int = 0 else true end)".encode()
        )
        conn.execute("update booking.tenant_limit set rate = 1000")  # so that Redis is asked
        serving.stop()
        yield house, conn


def test_no_canary_sings_in_the_log(faulty: tuple[House, psycopg.Connection]) -> None:
    house, owner = faulty
    for form in ("json", "console"):
        serving = house.open(LOG_FORMAT=form, **SETTINGS)
        send_everything(serving)
        sign_in_by_socket(serving)
        read_what_cannot_be_read(serving, owner)
        assert serving.stop() == 0
        lines = logged(serving)
        assert any("limits.redis_away" in line for line in lines)
        assert len(lines) > 50
        singing = [line for line in lines if any(canary in line for canary in CANARIES)]
        assert singing == []
        assert clients_in(lines) == {serving.address.rpartition(":")[2], "1"}
        for code in ("23514", "22P02"):  # both faults were met, and can be found out about
            assert any(code in line for line in lines)


def test_a_database_that_cannot_be_reached_tells_no_password() -> None:
    url = f"postgresql://canary:{PASSWORD}@127.0.0.1:1/booking"
    master_key = "ca" * 32
    ended = subprocess.run(
        [sys.executable, "-m", "api.cli", "api", "--port", "0"],
        cwd=ROOT,
        env=environment(
            ROOT / ".data", DATABASE_URL=url, BOOKING_MASTER_KEY=master_key, **SETTINGS
        ),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2
    assert "does not answer" in ended.stderr or "DATABASE_URL" in ended.stderr
    for secret in (PASSWORD, master_key):
        assert secret not in ended.stdout + ended.stderr
