"""GET /v1/events/stream, as browsers and scripts listen to it: over a real connection."""

import json
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import Queue
from typing import Any

import httpx
import pytest

from tests.acceptance.conftest import House, booking, register, soon

PATIENCE_SECONDS = 20


@dataclass
class Listening:
    """A stream being listened to."""

    answer: httpx.Response
    told: "Queue[tuple[str, str, Any] | None]" = field(default_factory=Queue)

    def read(self) -> None:
        parts: dict[str, str] = {}
        try:
            for line in self.answer.iter_lines():
                name, _, value = line.partition(": ")
                if line:
                    parts[name] = value
                elif "event" in parts:
                    data = json.loads(parts["data"])
                    self.told.put((parts["event"], parts.get("id", ""), data))
                    parts = {}
        except httpx.TransportError:
            pass  # it was cut
        self.told.put(None)

    def next(self) -> tuple[str, str, Any]:
        told = self.told.get(timeout=PATIENCE_SECONDS)
        assert told is not None
        return told

    def change(self) -> dict[str, Any]:
        while True:
            event, position, body = self.next()
            if event == "change":
                assert position == str(body["position"])
                return dict(body)

    def ended(self) -> bool:
        while (told := self.told.get(timeout=PATIENCE_SECONDS)) is not None:
            assert told[0] != "change"
        return True


@contextmanager
def listening(api: httpx.Client, query: str = "", **headers: str) -> Iterator[Listening]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    with api.stream("GET", f"/v1/events/stream?{query}", headers=named, timeout=30) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        listener = Listening(answer)
        reading = threading.Thread(target=listener.read, daemon=True)
        reading.start()
        yield listener


def test_a_listener_is_told_of_what_happens_to_its_resource(api: httpx.Client) -> None:
    stage, other = register(api), register(api)
    with listening(api, f"resource_id={stage}") as listener:
        event, _, beat = listener.next()
        assert (event, beat["room"]) == ("heartbeat", {"resource_id": stage})
        api.post("/v1/bookings", json=booking(other, day=1))
        booked = api.post("/v1/bookings", json=booking(stage, day=1)).json()
        change = listener.change()
        assert change["type"] == "booking.booked"
        assert change["position"] == booked["position"]
        assert change["prev"] <= beat["head"]
        shown = change["booking"]
        assert {name: booked[name] for name in shown} == shown
        taken = {name: booked[name] for name in ("start_time", "end_time")}
        assert change["availability"] == [{"resource_id": stage, "taken": [taken], "freed": []}]
        api.post(f"/v1/bookings/{booked['id']}/cancel")
        after = listener.change()
        assert (after["type"], after["prev"]) == ("booking.cancelled", change["position"])
        assert after["availability"] == [{"resource_id": stage, "taken": [], "freed": [taken]}]


@pytest.mark.parametrize("by", ["header", "query"])
def test_who_comes_back_is_told_what_it_missed_and_then_goes_on(api: httpx.Client, by: str) -> None:
    stage = register(api)
    ids = [api.post("/v1/bookings", json=booking(stage, day=day)).json() for day in (1, 2, 3)]
    known = str(ids[0]["position"])
    again = (
        listening(api, f"resource_id={stage}", Last_Event_ID=known)
        if by == "header"
        else listening(api, f"resource_id={stage}&after={known}")
    )
    with again as listener:
        missed = [listener.change() for _ in range(2)]
        last = api.post("/v1/bookings", json=booking(stage, day=4)).json()
        now = listener.change()
    told = [*missed, now]
    assert [each["booking"]["id"] for each in told] == [ids[1]["id"], ids[2]["id"], last["id"]]
    assert [each["prev"] for each in told] == [
        ids[0]["position"],
        ids[1]["position"],
        ids[2]["position"],
    ]


def test_what_cannot_be_listened_to_is_a_problem(api: httpx.Client) -> None:
    stage = register(api)
    absent = "01981d2a-7c00-7a3e-8f10-5b1c6e2d9b99"
    for query, status in {
        f"resource_id={absent}": 404,
        f"booking_id={absent}": 404,
        f"resource_id={stage}&booking_id={absent}": 422,
        "after=-1": 422,
        "since=1": 422,
    }.items():
        answer = api.get(f"/v1/events/stream?{query}")
        assert (answer.status_code, answer.headers["content-type"]) == (
            status,
            "application/problem+json",
        ), query
    assert api.get("/v1/events/stream", headers={"Last-Event-ID": "x"}).status_code == 422
    assert api.get("/v1/events/stream", headers={"Authorization": "Bearer no"}).status_code == 401
    head = api.head("/v1/events/stream")
    assert (head.status_code, head.content) == (200, b"")


def test_whoever_knows_more_than_the_log_has_reads_anew(api: httpx.Client) -> None:
    stage = register(api)
    head = int(api.get(f"/v1/resources/{stage}").headers["Event-Position"])
    for ahead in (
        listening(api, f"resource_id={stage}&after=999999999"),
        listening(api, f"resource_id={stage}", Last_Event_ID="999999999"),
    ):
        with ahead as listener:
            event, _, body = listener.next()
            assert listener.ended()
        assert (event, body["position"]) == ("snapshot_required", head)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_streams_end_when_the_server_does(house: House, number: int) -> None:
    serving = house.open()
    with serving.client() as api, listening(api) as listener:
        assert listener.next()[0] == "heartbeat"
        serving.process.send_signal(number)
        assert listener.ended()
        assert soon(lambda: serving.process.poll() == 0)
