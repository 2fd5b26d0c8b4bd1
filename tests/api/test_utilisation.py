"""GET /v1/utilisation: how much of local days was used, also where the clock is changed."""

from datetime import UTC, date, datetime, timedelta
from typing import cast
from zoneinfo import ZoneInfo, available_timezones

import psycopg
from pydantic import JsonValue

from infra.database import Database
from infra.projecting import ProjectionRunner
from tests.api.conftest import Json, Studio, assert_problem, new_booking, pointers
from tests.api.test_refusals import kept

HOUR = 3600


async def days(studio: Studio, *resources: str, start: str, end: str) -> list[Json]:
    named = "&".join(f"resource_id={resource}" for resource in resources)
    answer = await studio.get(f"/v1/utilisation?{named}&from={start}&to={end}")
    assert answer.status_code == 200, answer.text
    return cast("list[Json]", answer.json()["items"])


async def pages(studio: Studio, *resources: str, june: int, limit: int) -> list[Json]:
    """The days of that year's June, a page at a time."""
    named = "&".join(f"resource_id={resource}" for resource in resources)
    query = f"/v1/utilisation?{named}&from={june}-06-01&to={june}-07-01&limit={limit}"
    found: list[Json] = []
    answer = await studio.get(query)
    while True:
        found += answer.json()["items"]
        if (cursor := answer.json()["next_cursor"]) is None:
            return found
        answer = await studio.get(f"{query}&cursor={cursor}")


def seconds(day: Json) -> dict[str, float]:
    told = cast("dict[str, float]", day["seconds"])
    return {status: figure for status, figure in told.items() if figure}


async def test_a_booking_counts_in_the_local_days_of_each_resource_and_only_as_what_it_is(
    studio: Studio, projector: ProjectionRunner
) -> None:
    stage, camera = await studio.resource(), await studio.resource("Camera")
    # From 22:00 to 01:30 in Vienna, into the day which loses an hour at 02:00.
    booking = await studio.booking(
        stage,
        camera,
        status="held",
        start_time="2037-03-28T21:00:00Z",
        end_time="2037-03-29T00:30:00Z",
    )
    await projector.catch_up()
    window = {"start": "2037-03-01", "end": "2037-04-30"}
    for resource in (stage, camera):
        saturday, sunday = await days(studio, resource, **window)
        assert (saturday["date"], saturday["day_seconds"]) == ("2037-03-28", 24 * HOUR)
        assert (sunday["date"], sunday["day_seconds"]) == ("2037-03-29", 23 * HOUR)
        assert (seconds(saturday), seconds(sunday)) == ({"held": 2 * HOUR}, {"held": 1.5 * HOUR})
        assert (saturday["starts"], sunday["starts"]) == (1, 0)
        assert saturday["leads"] == {
            "under_a_day": 0, "under_a_week": 0, "under_30_days": 0, "longer": 1,
        }  # fmt: skip
    path = f"/v1/bookings/{booking['id']}"
    await studio.post(f"{path}/confirm")
    await studio.post(
        f"{path}/reschedule",
        {"resource_ids": [stage], "end_time": "2037-03-28T22:00:00.000001Z"},
    )
    await projector.catch_up()
    [saturday] = await days(studio, stage, camera, **window)
    assert saturday["resource_id"] == stage
    assert seconds(saturday) == {"confirmed": HOUR + 0.000001}
    await studio.post(f"{path}/cancel", {})
    await projector.catch_up()
    [saturday] = await days(studio, stage, camera, **window)
    assert (seconds(saturday), saturday["starts"]) == ({"cancelled": HOUR + 0.000001}, 1)


async def test_a_booking_counts_in_the_zone_that_its_resource_had_at_its_last_event(
    studio: Studio, projector: ProjectionRunner
) -> None:
    stage = await studio.resource()
    first = await studio.booking(
        stage, start_time="2037-06-01T21:00:00Z", end_time="2037-06-01T23:00:00Z"
    )
    await studio.patch(f"/v1/resources/{stage}", {"timezone": "Asia/Tokyo"})
    await studio.booking(stage, start_time="2037-06-11T21:00:00Z", end_time="2037-06-11T23:00:00Z")
    await projector.catch_up()
    window = {"start": "2037-06-01", "end": "2037-06-30"}
    assert [day["date"] for day in await days(studio, stage, **window)] == [
        "2037-06-01", "2037-06-02", "2037-06-12",
    ]  # fmt: skip
    await studio.post(f"/v1/bookings/{first['id']}/cancel", {})
    await projector.catch_up()
    found = await days(studio, stage, **window)
    assert [(day["date"], day["timezone"]) for day in found] == [
        ("2037-06-02", "Asia/Tokyo"), ("2037-06-12", "Asia/Tokyo"),
    ]  # fmt: skip


async def test_what_was_refused_shows_in_the_day_it_would_have_begun_in_booked_or_not(
    studio: Studio, projector: ProjectionRunner
) -> None:
    june = datetime.now(UTC).year + 1  # what is far from now is not counted
    stage, camera = await studio.resource(), await studio.resource("Camera")

    def late(start: str, end: str) -> dict[str, JsonValue]:
        return {"start_time": f"{june}-06-01T{start}:00Z", "end_time": f"{june}-06-01T{end}:00Z"}

    held = await studio.booking(stage, status="held", **late("21:00", "22:30"))  # to 0:30 in Vienna
    await studio.post(f"/v1/bookings/{held['id']}/cancel", {})
    for end in ("22:30", "23:00"):
        await studio.post("/v1/bookings", new_booking([stage, camera], **late("22:00", end)))
    await projector.catch_up()
    await kept(studio, 3)
    found = await days(studio, stage, camera, start=f"{june}-06-01", end=f"{june}-07-01")
    assert [(day["resource_id"], day["date"], seconds(day), day["refusals"]) for day in found] == [
        (stage, f"{june}-06-01", {"held": HOUR}, {"invalid-transition": 1}),
        (stage, f"{june}-06-02", {"held": HOUR / 2}, {"booking-conflict": 2}),
        (camera, f"{june}-06-02", {}, {"booking-conflict": 2}),
    ]
    assert (found[2]["starts"], found[2]["day_seconds"]) == (0, 24 * HOUR)
    assert await pages(studio, stage, camera, june=june, limit=1) == found


async def test_pages_go_on_where_the_last_one_ended(
    studio: Studio, projector: ProjectionRunner
) -> None:
    stages = [await studio.resource(f"Stage {number}") for number in range(2)]
    await studio.booking(
        *stages, start_time="2037-06-01T00:00:00Z", end_time="2037-06-03T00:00:00Z"
    )
    await projector.catch_up()
    found = await pages(studio, *stages, june=2037, limit=2)
    assert [(day["resource_id"], day["date"]) for day in found] == [
        (stage, f"2037-06-0{day}") for stage in stages for day in (1, 2, 3)
    ]


async def test_a_window_that_is_none_or_too_long_is_refused(studio: Studio) -> None:
    stage = await studio.resource()
    for end in ("2037-01-01", "2038-01-03"):
        answer = await studio.get(f"/v1/utilisation?resource_id={stage}&from=2037-01-01&to={end}")
        assert pointers(assert_problem(answer, 422, "validation-failed")) == ["/query/to"]


def test_a_day_begins_with_its_first_moment_in_every_zone(database: Database) -> None:
    """Those included in which the clock is changed at midnight, forward or back."""
    wanted = {
        *("America/Havana", "Africa/Cairo", "Asia/Beirut", "America/Asuncion", "America/Santiago"),
        *("Europe/Vienna", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kathmandu", "UTC"),
    }
    assert wanted <= available_timezones()
    every = [date(2024, 1, 1) + timedelta(days=number) for number in range(366)]
    with psycopg.connect(database.owner_dsn) as conn:
        for zone in sorted(wanted):
            rows = conn.execute(
                "select day, booking.day_begins(%s, day) from unnest(%s::date[]) day",
                [zone, every],
            ).fetchall()
            assert {day: begins.astimezone(UTC) for day, begins in rows} == {
                day: _first_moment(ZoneInfo(zone), day) for day in every
            }, zone


def _first_moment(zone: ZoneInfo, day: date) -> datetime:
    """Look for it, a quarter of an hour at a time: all changes of our days are at a full one."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    moments = (midnight + timedelta(minutes=15 * step) for step in range(-15 * 4, 15 * 4))
    return next(moment for moment in moments if moment.astimezone(zone).date() == day)
