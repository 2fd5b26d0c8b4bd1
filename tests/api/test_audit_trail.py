"""GET /v1/audit-trail: a line for each event of the log, found by what, where, who and when."""

from typing import cast

import pytest

from infra.projecting import ProjectionRunner
from projections.audit_trail import listing
from tests.api.conftest import Json, Studio, assert_problem, pointers

STORY = [
    "resource.registered",
    "resource.registered",
    "booking.hold_placed",
    "booking.confirmed",
    "booking.rescheduled",
    "booking.cancelled",
]


async def items(studio: Studio, query: str = "") -> list[Json]:
    answer = await studio.get(f"/v1/audit-trail{query}")
    assert answer.status_code == 200, answer.text
    return cast("list[Json]", answer.json()["items"])


async def positions(studio: Studio, query: str) -> list[object]:
    return [line["position"] for line in await items(studio, query)]


async def told(studio: Studio) -> tuple[str, str, str]:
    """Let a booking move from the stage to another one, and be cancelled; tell all three."""
    stage, other = await studio.resource(), await studio.resource("Other")
    booking = await studio.booking(stage, status="held")
    path = f"/v1/bookings/{booking['id']}"
    await studio.post(f"{path}/confirm", {"reason": "Signed"})
    await studio.post(f"{path}/reschedule", {"resource_ids": [other]})
    await studio.post(f"{path}/cancel", {"reason": "Rain"})
    return str(stage), str(other), str(booking["id"])


async def test_every_event_has_its_line_newest_first(
    studio: Studio, projector: ProjectionRunner
) -> None:
    stage, other, booking = await told(studio)
    await projector.catch_up()
    answer = await studio.get("/v1/audit-trail")
    lines = answer.json()["items"]
    assert [line["type"] for line in lines] == STORY[::-1]
    events = (await studio.get("/v1/events")).json()["items"]
    for line, event in zip(lines, reversed(events), strict=True):
        assert (str(line["position"]), line["time"]) == (event["id"], event["time"])
        assert (line["subject"], line["version"]) == (event["subject"], event["streamversion"])
        assert (line["actor"], line["request_id"]) == (event["actor"], event["requestid"])
        assert line.get("reason") == event["data"].get("reason")
    assert lines[1]["resource_ids"] == [other]
    assert lines[1]["left_resource_ids"] == [stage]
    assert lines[0] == lines[0] | {
        "subject": f"bookings/{booking}",
        "resource_ids": [other],
        "left_resource_ids": [],
        "reason": "Rain",
    }
    assert answer.headers["Event-Position"] == "6"


async def test_filters_narrow_the_trail(studio: Studio, projector: ProjectionRunner) -> None:
    stage, other, booking = await told(studio)
    await projector.catch_up()
    lines = await items(studio)
    actor, cancelled, confirmed = lines[0]["actor"], lines[0]["time"], lines[2]["time"]
    assert await positions(studio, f"?booking_id={booking}") == [6, 5, 4, 3]
    assert await positions(studio, f"?resource_id={stage}") == [5, 4, 3, 1]
    assert await positions(studio, f"?resource_id={other}") == [6, 5, 2]
    assert await positions(studio, f"?actor={actor}") == [6, 5, 4, 3, 2, 1]
    assert await positions(studio, "?actor=nobody") == []
    assert await positions(studio, "?type=booking.confirmed") == [4]
    assert await positions(studio, f"?from={confirmed}") == [6, 5, 4]
    assert await positions(studio, f"?to={confirmed}") == [3, 2, 1]
    assert await positions(studio, f"?from={confirmed}&to={cancelled}") == [5, 4]
    assert await positions(studio, f"?resource_id={stage}&booking_id={booking}") == [5, 4, 3]
    assert await positions(studio, f"?resource_id={stage}&actor=nobody") == []
    assert await positions(studio, f"?type=resource.registered&resource_id={other}") == [2]


async def test_pages_go_on_where_the_last_one_ended_whatever_comes_since(
    studio: Studio, projector: ProjectionRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "LOOK_AHEAD", 2)
    stage, _, _ = await told(studio)
    await projector.catch_up()
    for query, wanted in (
        (f"resource_id={stage}", [5, 4, 3, 1]),
        ("type=resource.registered", [2, 1]),
        ("", [6, 5, 4, 3, 2, 1]),
    ):
        found: list[object] = []
        answer = await studio.get(f"/v1/audit-trail?limit=1&{query}")
        while True:
            found += [line["position"] for line in answer.json()["items"]]
            if (cursor := answer.json()["next_cursor"]) is None:
                break
            answer = await studio.get(f"/v1/audit-trail?limit=1&{query}&cursor={cursor}")
        assert found == wanted
    first = (await studio.get("/v1/audit-trail?limit=1")).json()["next_cursor"]
    await studio.resource("Later")
    await projector.catch_up()
    answer = await studio.get(f"/v1/audit-trail?limit=2&cursor={first}")
    assert [line["position"] for line in answer.json()["items"]] == [5, 4]
    assert_problem(
        await studio.get(f"/v1/audit-trail?actor=x&cursor={first}"), 422, "validation-failed"
    )


async def test_a_period_that_ends_before_it_starts_is_refused(studio: Studio) -> None:
    answer = await studio.get("/v1/audit-trail?from=2027-03-02T00:00:00Z&to=2027-03-01T00:00:00Z")
    assert pointers(assert_problem(answer, 422, "validation-failed")) == ["/query/to"]
