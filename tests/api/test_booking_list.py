"""GET /v1/bookings: what is found, in which order, page by page, and as of when."""

from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from infra.projecting import ProjectionRunner
from projections.bookings import listing
from tests.api.conftest import DAY, Json, Studio, assert_problem, pointers

NINE = datetime(2027, 3, 1, 9, tzinfo=UTC)


async def items(studio: Studio, query: str = "") -> list[Json]:
    answer = await studio.get(f"/v1/bookings{query}")
    assert answer.status_code == 200, answer.text
    return cast("list[Json]", answer.json()["items"])


async def titles(studio: Studio, query: str = "") -> list[object]:
    return [item["title"] for item in await items(studio, query)]


async def test_a_listed_booking_is_the_same_as_the_booking_alone(
    studio: Studio, projector: ProjectionRunner
) -> None:
    stage, camera = await studio.resource(), await studio.resource("Camera")
    booking = await studio.booking(
        stage,
        camera,
        status="held",
        hold_expires_at=f"{DAY}T00:00:00Z",
        customer={"id": "c-1", "name": "Ada"},
        notes="Ramp",
        reference="PO-1",
        attributes={"crew": 14},
    )
    path = f"/v1/bookings/{booking['id']}"
    await studio.patch(path, {"notes": None, "customer": {"id": "c-1", "name": "Ada L."}})
    await studio.post(f"{path}/reschedule", {"start_time": f"{DAY}T08:00:00Z"})
    await studio.post(f"{path}/confirm")
    await projector.catch_up()
    alone = await studio.get(path)
    assert await items(studio) == [alone.json()]
    assert alone.json()["customer"] == {"id": "c-1", "name": "Ada L."}
    found = await studio.get("/v1/bookings")
    assert found.headers["Event-Position"] == alone.headers["Event-Position"]


async def test_filters_narrow_the_list(studio: Studio, projector: ProjectionRunner) -> None:
    stage, other = await studio.resource(), await studio.resource("Other")
    for number, (where, hours) in enumerate([(stage, 1), (other, 30), (stage, 24 * 200)]):
        start = NINE + timedelta(days=number)
        await studio.booking(
            where,
            title=f"Drehtag Ä{number}",
            reference=f"PO-{number}",
            start_time=start.isoformat(),
            end_time=(start + timedelta(hours=hours)).isoformat(),
        )
    [first, *_] = await _caught_up(studio, projector)
    await studio.post(f"/v1/bookings/{first['id']}/cancel", {"reason": "Rain"})
    await projector.catch_up()
    zero, one, two = (f"Drehtag Ä{number}" for number in range(3))
    assert await titles(studio) == [zero, one, two]
    assert await titles(studio, f"?resource_id={stage}") == [zero, two]
    assert await titles(studio, f"?resource_id={other}&status=cancelled") == []
    assert await titles(studio, "?status=cancelled") == [zero]
    assert await titles(studio, "?reference=PO-1") == [one]
    assert await titles(studio, f"?reference=PO-1&resource_id={stage}") == []
    assert await titles(studio, "?q=drehtag%20ä2") == [two]
    assert await titles(studio, "?q=po-1") == [one]
    assert await titles(studio, "?q=%25") == []
    # Half-open: what ends just when the window begins is not in it, nor what begins when it ends.
    assert await titles(studio, "?from=2027-03-01T10:00:00Z&to=2027-03-02T09:00:00Z") == []
    assert await titles(studio, "?from=2027-03-01T09:59:59Z&to=2027-03-02T09:00:01Z") == [zero, one]
    assert await titles(studio, "?from=2027-08-01T00:00:00Z") == [two]
    assert await titles(studio, f"?from=2027-08-01T00:00:00Z&resource_id={stage}") == [two]


async def test_pages_go_on_where_the_last_one_ended(
    studio: Studio, projector: ProjectionRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "LOOK_AHEAD", 4)
    stage = await studio.resource()
    for day in range(9):
        start = NINE + timedelta(days=day)
        booking = await studio.booking(
            stage,
            title=f"Day {day}",
            start_time=start.isoformat(),
            end_time=(start + timedelta(hours=40 if day % 2 else 1) / 2).isoformat(),
        )
        if day in (7, 8):
            await studio.post(f"/v1/bookings/{booking['id']}/cancel")
    await _caught_up(studio, projector)
    for query, expected in (("?limit=2", range(9)), ("?limit=2&status=cancelled", (7, 8))):
        found: list[object] = []
        path, pages = f"/v1/bookings{query}", 0
        while True:
            page = (await studio.get(path)).json()
            found += [item["title"] for item in page["items"]]
            pages += 1
            if page["next_cursor"] is None:
                break
            if pages == 1:  # what comes meanwhile, before the place reached, disturbs nothing
                early = (NINE - timedelta(days=pages)).isoformat()
                await studio.booking(
                    stage, title="Early", start_time=early, end_time=NINE.isoformat()
                )
                await projector.catch_up()
            path = f"/v1/bookings{query}&cursor={page['next_cursor']}"
        assert found == [f"Day {day}" for day in expected]
        await studio.resource()
        stage = await studio.resource(f"Stage {query}")


async def test_a_cursor_is_good_for_its_own_list_alone(
    studio: Studio, projector: ProjectionRunner
) -> None:
    stage = await studio.resource()
    for hour in (9, 10):
        await studio.booking(
            stage, start_time=f"{DAY}T{hour:02}:00:00Z", end_time=f"{DAY}T{hour + 1:02}:00:00Z"
        )
    await projector.catch_up()
    cursor = (await studio.get("/v1/bookings?limit=1")).json()["next_cursor"]
    answer = await studio.get(f"/v1/bookings?limit=1&status=held&cursor={cursor}")
    assert pointers(assert_problem(answer, 422, "validation-failed")) == ["/query/cursor"]


async def test_a_read_waits_for_the_position_that_it_asks_for(
    studio: Studio, projector: ProjectionRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.reading.WAIT_SECONDS", 0.1)
    assert await items(studio) == []  # nothing has happened yet
    stage = await studio.resource()
    assert_problem(await studio.get("/v1/bookings"), 503, "projection-behind")
    await projector.catch_up()
    booking = await studio.booking(stage)
    position = str(booking["position"])
    behind = await studio.get("/v1/bookings", Min_Event_Position=position)
    assert_problem(behind, 503, "projection-behind")
    assert behind.headers["Retry-After"] == "1"
    assert await items(studio) == []
    await projector.catch_up()
    there = await studio.get("/v1/bookings", Min_Event_Position=position)
    assert [item["id"] for item in there.json()["items"]] == [booking["id"]]
    ahead = await studio.get("/v1/bookings", Min_Event_Position=str(int(position) + 1))
    assert pointers(assert_problem(ahead, 422, "validation-failed")) == [
        "/header/Min-Event-Position"
    ]


async def test_another_tenants_bookings_are_not_listed(
    studio: Studio, other_studio: Studio, projector: ProjectionRunner
) -> None:
    await studio.booking(await studio.resource())
    await other_studio.resource()
    await projector.catch_up()
    assert await items(other_studio) == []


async def test_an_inverted_window_is_refused(studio: Studio) -> None:
    query = "?from=2027-03-02T00:00:00Z&to=2027-03-01T00:00:00Z"
    problem = assert_problem(await studio.get(f"/v1/bookings{query}"), 422, "validation-failed")
    assert pointers(problem) == ["/query/to"]


async def _caught_up(studio: Studio, projector: ProjectionRunner) -> list[Json]:
    await projector.catch_up()
    return await items(studio)
