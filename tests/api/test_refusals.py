"""GET /v1/refusals: what could not be booked, kept once, found by why, where and when."""

import asyncio
from typing import cast

import psycopg

from api.services import Services
from infra.database import Database
from tests.api.conftest import Json, Studio, assert_problem, new_booking, pointers

WAIT_SECONDS = 8.0


async def items(studio: Studio, query: str = "") -> list[Json]:
    answer = await studio.get(f"/v1/refusals{query}")
    assert answer.status_code == 200, answer.text
    return cast("list[Json]", answer.json()["items"])


async def kept(studio: Studio, number: int) -> list[Json]:
    """The refusals once there are as many: they are written within a second or so."""
    until = asyncio.get_running_loop().time() + WAIT_SECONDS
    found = await items(studio)
    while len(found) < number and asyncio.get_running_loop().time() < until:
        await asyncio.sleep(0.1)
        found = await items(studio)
    assert len(found) == number
    return found


async def test_what_was_refused_is_listed_newest_first_and_a_repeated_request_counts_once(
    studio: Studio, other_studio: Studio, database: Database, services: Services
) -> None:
    stage, other = await studio.resource(), await studio.resource("Other")
    first = await studio.booking(stage)
    wanted = new_booking([stage, other])
    for _ in range(2):
        refused = await studio.post("/v1/bookings", wanted, Idempotency_Key="once")
        assert_problem(refused, 409, "booking-conflict")
    moved = await studio.booking(other, status="held")
    refused = await studio.post(f"/v1/bookings/{moved['id']}/cancel", {})
    assert_problem(refused, 409, "invalid-transition")
    refused = await studio.post(f"/v1/bookings/{moved['id']}/reschedule", {"resource_ids": [stage]})
    assert_problem(refused, 409, "booking-conflict")
    await studio.get("/v1/bookings/" + str(moved["id"]), Min_Event_Position="99")  # no rule's

    rescheduled, cancelled, booked = await kept(studio, 3)
    assert booked | {"id": "", "time": "", "booking_id": "", "actor": ""} == {
        "id": "",
        "time": "",
        "reason": "booking-conflict",
        "command": "book",
        "booking_id": "",
        "resource_ids": [stage, other],
        "start_time": "2027-03-01T09:00:00Z",
        "end_time": "2027-03-01T10:00:00Z",
        "blocking_booking_ids": [first["id"]],
        "actor": "",
        "request_id": booked["request_id"],
    }
    assert (cancelled["command"], cancelled["reason"]) == ("cancel", "invalid-transition")
    assert (cancelled["booking_id"], cancelled["blocking_booking_ids"]) == (moved["id"], [])
    assert (rescheduled["command"], rescheduled["resource_ids"]) == ("reschedule", [stage])
    assert rescheduled["request_id"] == refused.headers["X-Request-Id"]

    assert await items(studio, "?reason=invalid-transition") == [cancelled]
    assert await items(studio, f"?resource_id={stage}") == [rescheduled, booked]
    assert await items(studio, f"?to={cancelled['time']}") == [booked]
    assert await items(studio, f"?from={cancelled['time']}") == [rescheduled, cancelled]
    page = (await studio.get("/v1/refusals?limit=2")).json()
    assert page["items"] == [rescheduled, cancelled]
    rest = (await studio.get(f"/v1/refusals?limit=2&cursor={page['next_cursor']}")).json()
    assert rest == {"items": [booked], "next_cursor": None}
    assert await items(other_studio) == []
    with psycopg.connect(database.owner_dsn) as owner:
        days = owner.execute(
            "select resource_id::text, day::text, reason, refusals from booking.refusal_day"
        ).fetchall()
    assert sorted(days) == sorted(
        [
            (stage, "2027-03-01", "booking-conflict", 2),
            (other, "2027-03-01", "booking-conflict", 1),
            (other, "2027-03-01", "invalid-transition", 1),
        ]
    )
    assert b"booking_refusals_dropped_total 0.0" in services.metrics.exposition()


async def test_what_no_rule_of_booking_refused_is_not_kept(studio: Studio) -> None:
    stage = await studio.resource()
    assert_problem(
        await studio.post("/v1/bookings", new_booking([stage], title=7)), 422, "validation-failed"
    )
    assert_problem(await studio.as_role("viewer").post("/v1/bookings"), 403, "forbidden")
    assert_problem(await studio.post(f"/v1/bookings/{stage}/confirm", {}), 404, "not-found")
    booking = await studio.booking(stage)
    stale = await studio.post(f"/v1/bookings/{booking['id']}/cancel", {}, If_Match='"7"')
    assert_problem(stale, 412, "version-mismatch")
    await studio.post("/v1/bookings", new_booking([stage]))
    assert [each["reason"] for each in await kept(studio, 1)] == ["booking-conflict"]


async def test_of_an_atomic_group_the_culprit_is_kept(studio: Studio) -> None:
    stage, other = await studio.resource(), await studio.resource("Other")
    await studio.booking(other)
    commands = [{"type": "book", **new_booking([each])} for each in (stage, other)]
    answer = await studio.post("/v1/commands", {"commands": commands, "atomic": True})
    assert answer.json()["applied"] is False
    [refused] = await kept(studio, 1)
    assert refused["resource_ids"] == [other]


async def test_filters_that_make_no_sense_are_refused(studio: Studio) -> None:
    for query, pointer in {
        "reason=bad": "/query/reason",
        "from=2027-03-02T00:00:00Z&to=2027-03-01T00:00:00Z": "/query/to",
        "cursor=AAAA": "/query/cursor",
        "limit=0": "/query/limit",
    }.items():
        answer = await studio.get(f"/v1/refusals?{query}")
        assert pointers(assert_problem(answer, 422, "validation-failed")) == [pointer]
