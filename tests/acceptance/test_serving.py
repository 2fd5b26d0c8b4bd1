"""`booking serve`: what it prints, what it keeps, and how it ends."""

import json
import time
from pathlib import Path

import httpx

from tests.acceptance.conftest import DEMO_KEY, Serving, booking, register, start
from tests.scratch import scratch_directory


def test_it_prints_address_and_key(serving: Serving) -> None:
    printed = "".join(serving.printed)
    assert serving.address in printed
    assert DEMO_KEY in printed


def test_started_again_it_has_lost_nothing() -> None:
    with scratch_directory("booking-serve-") as directory:
        data_dir = Path(directory) / "data"
        first = start(data_dir)
        with first.client() as api:
            stage = register(api)
            made = api.post(
                "/v1/bookings", json=booking(stage, customer={"id": "c", "name": "Ada"})
            )
            assert made.status_code == 201
        assert first.stop() == 0
        second = start(data_dir)
        with second.client() as api:
            found = api.get(f"/v1/bookings/{made.json()['id']}")
            assert found.json() == made.json()
            assert api.post("/v1/bookings", json=booking(stage)).status_code == 409
        assert second.stop() == 0


def logged(serving: Serving, request_id: str) -> dict[str, object]:
    """The log's one line on a request; it comes through a pipe, some time after the answer."""
    deadline = time.monotonic() + 10
    found: list[dict[str, object]] = []
    while not found and time.monotonic() < deadline:
        lines = [json.loads(line) for line in serving.printed if line.startswith("{")]
        found = [line for line in lines if line.get("request_id") == request_id]
        time.sleep(0.01)
    (line,) = found
    return line


def test_logs_are_json_with_the_request_id_and_nothing_personal(
    serving: Serving, api: httpx.Client
) -> None:
    stage = register(api)
    personal = "Ada Lovelace of Ockham Park"
    api.post(
        "/v1/bookings",
        json=booking(
            stage, customer={"id": personal, "email": personal}, notes=personal, title=personal
        ),
        headers={"X-Request-Id": "find-me"},
    )
    line = logged(serving, "find-me")
    assert line["route"] == "/v1/bookings"
    assert line["status"] == 201
    everything = "".join(serving.printed[serving.printed.index("\n") :])
    assert personal not in everything
    assert f"Bearer {DEMO_KEY}" not in everything


def test_the_request_id_goes_through_to_the_event(api: httpx.Client) -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    answer = api.post(
        "/v1/resources",
        json={"name": "Stage", "kind": "stage", "timezone": "UTC"},
        headers={"X-Request-Id": "r-17", "traceparent": trace},
    )
    assert answer.headers["X-Request-Id"] == "r-17"
    position = int(answer.headers["Event-Position"])
    (event,) = api.get("/v1/events", params={"after": position - 1, "limit": 1}).json()["items"]
    assert event["requestid"] == "r-17"
    assert event["traceparent"] == trace


def test_metrics_tell_of_batches_and_requests(api: httpx.Client) -> None:
    stage = register(api)
    api.post("/v1/bookings", json=booking(stage))
    text = api.get("/metrics").text
    for name in (
        "booking_commit_batch_commands_count",
        "booking_commit_seconds_count",
        "booking_commit_queue_commands",
        'booking_commands_total{verdict="accepted"}',
        'route="/v1/bookings"',
    ):
        assert name in text
