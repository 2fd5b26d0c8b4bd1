"""The running API does what its OpenAPI document says, and nothing else: so says schemathesis."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.schemas import examples
from tests.acceptance.conftest import DEMO_KEY, ROOT, Serving, booking, register, start
from tests.people.clerk import SECRET
from tests.scratch import scratch_directory

HERE = Path(__file__).parent
SECONDS = 240  # a guard: it takes a fifth of that on two cores
HOLDS = 12
CLERK = {"CLERK_ISSUER": "https://clerk.example", "CLERK_WEBHOOK_SECRET": SECRET}
PERIOD = {"start_time": "2100-03-02T08:00:00Z", "end_time": "2100-03-02T18:00:00Z"}

# Any: a report in JSON.
Report = dict[str, Any]


@pytest.fixture(scope="module")
def alone() -> Iterator[Serving]:
    """A server of its own: what is sent here fills and retires things."""
    with scratch_directory("booking-schema-") as directory:
        running = start(Path(directory) / "data", **CLERK)
        yield running
        assert running.stop() == 0, "".join(running.printed)[-2000:]


def rival_key(serving: Serving) -> str:
    assert serving.booking("tenant", "create", "rival", "--name", "Rival").returncode == 0
    made = serving.booking("apikey", "create", "--tenant", "rival", "--role", "admin", "--json")
    return str(json.loads(made.stdout)["key"])


def feed_key(serving: Serving) -> str:
    made = serving.booking("apikey", "create", "--tenant", "demo", "--role", "feed", "--json")
    return str(json.loads(made.stdout)["key"])


def existing_things(api: httpx.Client) -> dict[str, str]:
    """Make the things that the document's examples speak of."""
    stage, camera = register(api, "Stage"), register(api, "Camera")
    return {
        examples.STAGE_ID: stage,
        examples.CAMERA_ID: camera,
        examples.BOOKING_ID: hold(api, stage),
        examples.OTHER_BOOKING_ID: hold(api, camera),
        examples.CUSTOMER_KEY_ID: customer_key(api),
        examples.WEBHOOK_ENDPOINT_ID: webhook_endpoint(api),
    }


def public_token(api: httpx.Client) -> str:
    """Of a resource that nobody retires or makes private meanwhile."""
    answer = api.post(f"/v1/resources/{register(api)}/public-link")
    return str(answer.json()["data_path"]).rpartition("/")[2]


def hold(api: httpx.Client, resource: str, **fields: object) -> str:
    answer = api.post("/v1/bookings", json=booking(resource, status="held") | PERIOD | fields)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def customer_key(api: httpx.Client) -> str:
    """Book for a customer, and find the key that their data is sealed with."""
    booked = hold(api, register(api), customer={"id": "c-1", "name": "Ada"})
    [first] = api.get(f"/v1/bookings/{booked}/history").json()["items"]
    return str(first["data"]["customer"]["key_id"])


def webhook_endpoint(api: httpx.Client) -> str:
    """Make an endpoint, and wait until the event at the examples' position is a message to it."""
    asked = {"url": "https://hooks.example", "after": 0}
    made = str(api.post("/v1/webhook-endpoints", json=asked).json()["id"])
    path = f"/v1/webhook-endpoints/{made}/deliveries/{examples.WEBHOOK_DELIVERY['position']}"
    for _ in range(300):
        if api.get(path).status_code == 200:
            break
        time.sleep(0.1)
    return made


def keys_file(directory: Path, keys: dict[str, str]) -> Path:
    """The keys of both tenants, as Web Fuzzing Commons writes them."""
    path = directory / "keys.json"
    entries = [
        {"name": name, "fixedHeaders": [{"name": "Authorization", "value": f"Bearer {key}"}]}
        for name, key in keys.items()
    ]
    path.write_text(json.dumps({"auth": entries}))
    return path


def operations(serving: Serving) -> set[tuple[str, str]]:
    """All that the document has, by method and path."""
    paths = httpx.get(f"{serving.address}/openapi.json").json()["paths"]
    return {(method.upper(), path) for path, methods in paths.items() for method in methods}


def done(serving: Serving) -> set[tuple[str, str]]:
    """What was done at least once, as the server's log tells it."""
    lines = [json.loads(line) for line in serving.printed if '"api.request"' in line]
    return {(line["method"], line["route"]) for line in lines if line["status"] < 300}


def run_schemathesis(
    serving: Serving, directory: Path, surroundings: dict[str, str]
) -> tuple["subprocess.CompletedProcess[str]", Report]:
    report = directory / "report.json"
    run = subprocess.run(  # noqa: S603 - a locked program, arguments of our own
        [
            *(sys.executable, "-m", "schemathesis.cli"),
            *("--config-file", str(HERE / "schemathesis.toml")),
            *("run", f"{serving.address}/openapi.json"),
            *("--checks", "all", "--report-json-path", str(report), "--no-color"),
        ],
        cwd=directory,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | surroundings,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    return run, json.loads(report.read_text()) if report.exists() else {}


def test_the_api_is_what_its_document_says(alone: Serving, tmp_path: Path) -> None:
    with alone.client() as api:
        existing = existing_things(api) | {
            examples.FEED_KEY: feed_key(alone),
            examples.PUBLIC_TOKEN: public_token(api),
        }
        holds = [hold(api, register(api)) for _ in range(HOLDS)]
    keys = keys_file(tmp_path, {"studio": DEMO_KEY, "rival": rival_key(alone)})
    run, report = run_schemathesis(
        alone,
        tmp_path,
        {
            "SCHEMA_HOOKS": str(HERE / "beyond_the_schema.py"),
            "SCHEMA_KEYS": str(keys),
            "SCHEMA_EXISTING": json.dumps(existing),
            "SCHEMA_HOLDS": json.dumps(holds),
        },
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert report["operations"]["tested"] == report["operations"]["total"]
    assert {name: phase["status"] for name, phase in report["phases"].items()} == dict.fromkeys(
        ("examples", "coverage", "fuzzing", "stateful"), "success"
    )
    assert sorted(operations(alone) - done(alone)) == []
