"""`as_of`: what was answered at some moment is answered again, whatever has happened since."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import psycopg
import pytest
from httpx import Response

from infra.database import Database
from infra.projecting import ProjectionRunner
from projections.reservation_history import listing
from tests.api.conftest import DAY, Json, Studio, assert_problem, pointers

NINE = datetime(2027, 3, 1, 9, tzinfo=UTC)
WINDOW = "from=2027-03-01T12:00:00Z&to=2027-03-03T00:00:00Z"


async def told(studio: Studio, projector: ProjectionRunner) -> dict[int, dict[str, Response]]:
    """Tell a story; after each event, keep what all the reads answer."""
    stage, camera = await studio.resource(), await studio.resource("Camera")
    booking = await studio.booking(
        camera,
        stage,
        status="held",
        hold_expires_at=f"{DAY}T00:00:00Z",
        end_time=(NINE + timedelta(hours=40)).isoformat(),
        customer={"id": "c-1", "name": "Ada"},
        reference="PO-1",
    )
    path = f"/v1/bookings/{booking['id']}"
    reads = (
        path,
        "/v1/bookings",
        "/v1/bookings?status=held",
        f"/v1/bookings?resource_id={camera}&{WINDOW}",
        "/v1/bookings?q=PILOT",
        "/v1/bookings?reference=PO-1",
        f"/v1/resources/{stage}/calendar?{WINDOW}",
        f"/v1/resources/{camera}/calendar?{WINDOW}",
        f"/v1/availability?resource_id={stage}&resource_id={camera}&{WINDOW}",
    )
    kept: dict[int, dict[str, Response]] = {}

    async def keep() -> None:
        await projector.catch_up()
        answers = {read: await studio.get(read) for read in reads}
        assert {answer.status_code for answer in answers.values()} == {200}
        kept[int(answers[path].headers["Event-Position"])] = answers

    await keep()
    await studio.patch(path, {"title": "Finale", "reference": None, "notes": "Pilot, moved"})
    await keep()
    later = {"start_time": f"{DAY}T08:00:00Z", "resource_ids": [stage]}
    await studio.post(f"{path}/reschedule", later)
    await keep()
    await studio.post(f"{path}/confirm")
    await keep()
    year = {"start_time": "2026-07-01T00:00:00Z", "end_time": "2027-06-01T00:00:00Z"}
    await studio.booking(camera, title="Pilots", reference="PO-1", **year)
    await keep()
    await studio.post(f"/v1/resources/{camera}/retire")
    await keep()
    await studio.post(f"{path}/cancel")
    await keep()
    return kept


def as_of(read: str, moment: object) -> str:
    return f"{read}{'&' if '?' in read else '?'}as_of={quote(str(moment))}"


async def time_of(studio: Studio, position: int) -> str:
    answer = await studio.get(f"/v1/events?after={position - 1}&limit=1")
    return str(answer.json()["items"][0]["time"])


async def test_what_was_answered_at_a_position_or_a_time_is_answered_again(
    studio: Studio, projector: ProjectionRunner
) -> None:
    kept = await told(studio, projector)
    assert [*kept] == [3, 4, 5, 6, 7, 8, 9]
    for position, answers in kept.items():
        for moment in (position, await time_of(studio, position)):
            for read, then in answers.items():
                answer = await studio.get(as_of(read, moment))
                assert answer.status_code == 200, answer.text
                assert answer.json() == then.json(), (read, moment)
                assert answer.headers["Event-Position"] == str(position)
                assert answer.headers.get("ETag") == then.headers.get("ETag")
    later = await studio.get(
        as_of("/v1/bookings", (await time_of(studio, 5)).replace("Z", "+00:00"))
    )
    assert later.headers["Event-Position"] == "5"


async def test_before_there_was_anything_nothing_is_found(
    studio: Studio, projector: ProjectionRunner
) -> None:
    kept = await told(studio, projector)
    path, *_, availability = kept[9]
    [stage] = [read for read in kept[9] if "calendar" in read][:1]
    for moment in (0, 2, "2020-01-01T00:00:00+01:00"):
        assert_problem(await studio.get(as_of(path, moment)), 404, "not-found")
        listed = await studio.get(as_of("/v1/bookings", moment))
        assert listed.json() == {"items": [], "next_cursor": None}
        assert listed.headers["Event-Position"] == ("2" if moment == 2 else "0")
    for read in (stage, availability):
        assert_problem(await studio.get(as_of(read, 0)), 404, "not-found")
        assert (await studio.get(as_of(read, 2))).status_code == 200
    assert_problem(await studio.get(as_of(availability, 1)), 404, "not-found")


async def test_pages_of_the_past_agree_and_every_booking_is_on_one(
    studio: Studio,
    projector: ProjectionRunner,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(listing, "LOOK_AHEAD", 4)
    stage = await studio.resource()
    bookings = []
    for day in range(6):
        start = NINE + timedelta(days=day)
        end = start + timedelta(hours=20 if day % 2 else 1)
        booking = await studio.booking(
            stage,
            title=f"Day {day}",
            status="held",
            start_time=start.isoformat(),
            end_time=end.isoformat(),
        )
        bookings.append(f"/v1/bookings/{booking['id']}")
        await studio.post(f"{bookings[-1]}/confirm")
    moment = await time_of(studio, 13)
    for path in bookings:
        await studio.post(f"{path}/cancel")
    await projector.catch_up()
    for query, expected in (
        ("/v1/bookings?limit=2", range(6)),
        ("/v1/bookings?limit=1&q=day", range(6)),
        (f"/v1/bookings?limit=4&status=confirmed&resource_id={stage}", range(6)),
        ("/v1/bookings?limit=4&status=cancelled", ()),
        (
            f"/v1/resources/{stage}/calendar?limit=2&from={DAY}T00:00:00Z&to=2027-04-01T00:00:00Z",
            range(6),
        ),
    ):
        first = await studio.get(as_of(query, moment))
        found = await all_pages(studio, as_of(query, moment), first)
        if "calendar" in query:
            ids = {f"/v1/bookings/{item['booking_id']}" for item in found}
            assert ids == {bookings[day] for day in expected}
        else:
            assert [item["title"] for item in found] == [f"Day {day}" for day in expected]
        if cursor := first.json()["next_cursor"]:
            other = await studio.get(f"{as_of(query, 13)}&cursor={cursor}")
            assert pointers(assert_problem(other, 422, "validation-failed")) == ["/query/cursor"]
            now = await studio.get(f"{query}&cursor={cursor}")
            assert_problem(now, 422, "validation-failed")

    # An event that was being committed just then turns out to be one of that time.
    list_then = as_of("/v1/bookings?limit=2", moment)
    first = await studio.get(list_then)
    with psycopg.connect(database.owner_dsn) as owner:
        owner.execute("update booking.event set recorded_at = %s where seq = 14", [moment])
    assert len(await all_pages(studio, list_then, first)) == 6
    assert (await studio.get(list_then)).headers["Event-Position"] == "14"


async def all_pages(studio: Studio, path: str, page: Response) -> list[Json]:
    found: list[Json] = []
    while True:
        assert page.headers["Event-Position"] == "13"
        found += page.json()["items"]
        if (cursor := page.json()["next_cursor"]) is None:
            return found
        page = await studio.get(f"{path}&cursor={cursor}")


async def test_what_is_no_moment_of_the_log_is_refused(
    studio: Studio, projector: ProjectionRunner
) -> None:
    kept = await told(studio, projector)
    for read in kept[9]:
        for moment, said in (
            (10, "at most 9"),
            ("2199-01-01T00:00:00Z", "that has come"),
            ("-1", "as RFC 3339"),
            ("2026-01-01T00:00:00", "as RFC 3339"),
            (2**63, "at most 2^63 - 1"),
        ):
            problem = assert_problem(
                await studio.get(as_of(read, moment)), 422, "validation-failed"
            )
            assert pointers(problem) == ["/query/as_of"]
            assert said in str(problem["errors"])
    ahead = await studio.get(as_of(read, 3), Min_Event_Position="10")
    assert pointers(assert_problem(ahead, 422, "validation-failed")) == [
        "/header/Min-Event-Position"
    ]


async def test_the_past_waits_for_the_projection_and_one_booking_does_not(
    studio: Studio, projector: ProjectionRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.reading.WAIT_SECONDS", 0.05)
    stage = await studio.resource()
    await projector.catch_up()
    booking = await studio.booking(stage)
    reads: Mapping[str, int] = {
        f"/v1/bookings/{booking['id']}": 200,
        "/v1/bookings": 503,
        f"/v1/resources/{stage}/calendar?{WINDOW}": 503,
        f"/v1/availability?resource_id={stage}&{WINDOW}": 503,
    }
    for read, status in reads.items():
        answer = await studio.get(as_of(read, 2))
        assert answer.status_code == status
        if status == 503:
            assert_problem(answer, 503, "projection-behind")
            assert (await studio.get(as_of(read, 1))).status_code == 200


async def test_a_hold_occupied_until_it_expired_by_the_time_that_is_asked_for(
    studio: Studio, projector: ProjectionRunner
) -> None:
    stage = await studio.resource()
    expiry = datetime.now(UTC) + timedelta(milliseconds=150)
    window = f"from={DAY}T00:00:00Z&to=2027-03-02T00:00:00Z"
    await studio.booking(stage, status="held", hold_expires_at=expiry.isoformat())
    calendar = f"/v1/resources/{stage}/calendar?{window}"
    while (await studio.get(calendar)).json()["items"]:
        pass
    await projector.catch_up()

    async def items(moment: object) -> int:
        return len((await studio.get(as_of(calendar, moment))).json()["items"])

    # At the position it stood; at a time it stood until its last microsecond. It was never lapsed.
    assert await items(2) == 1
    assert await items((expiry - timedelta(microseconds=1)).isoformat()) == 1
    assert await items(expiry.isoformat()) == 0


async def test_who_was_forgotten_since_is_forgotten_in_the_past_too(
    studio: Studio, projector: ProjectionRunner
) -> None:
    kept = await told(studio, projector)
    path = next(iter(kept[9]))
    [begun, *_] = (await studio.get(f"{path}/history")).json()["items"]
    assert (await studio.get(as_of(path, 3))).json()["customer"] == {"id": "c-1", "name": "Ada"}
    key = begun["data"]["customer"]["key_id"]
    forgotten = await studio.post(f"/v1/customers/{key}/forget", {"reason": "Asked"})
    assert forgotten.status_code == 200
    await projector.catch_up()
    assert (await studio.get(as_of(path, 3))).json()["customer"] is None
    [item] = (await studio.get(as_of("/v1/bookings", 3))).json()["items"]
    assert item["customer"] is None
    assert item["title"] == "Pilot"


async def test_another_tenants_past_is_not_seen(
    studio: Studio, other_studio: Studio, projector: ProjectionRunner
) -> None:
    kept = await told(other_studio, projector)
    mine = await studio.booking(await studio.resource())
    await projector.catch_up()
    for read in kept[9]:
        answer = await studio.get(as_of(read, 2))
        if read.partition("?")[0] == "/v1/bookings":
            assert {item["id"] for item in answer.json()["items"]} <= {mine["id"]}
        else:
            assert_problem(answer, 404, "not-found")
