"""Resources over HTTP, what occupies them, and when they are free."""

from urllib.parse import quote
from uuid import uuid4

import pytest

from api.schemas.availability import AvailabilityBody
from api.schemas.calendar import CalendarBody
from api.schemas.resource_bodies import ResourceBody, ResourceListBody
from projections.reservation import availability as projection
from tests.api.conftest import DAY, Json, Studio, assert_problem, new_booking, pointers

WINDOW = f"from={DAY}T00:00:00Z&to={DAY}T12:00:00Z"


async def test_a_resource_is_registered_read_and_changed(studio: Studio) -> None:
    form: Json = {"name": "Stage A", "kind": "stage", "timezone": "Europe/Vienna"}
    made = await studio.post("/v1/resources", form | {"attributes": {"m2": 420}})
    assert made.status_code == 201
    ResourceBody.model_validate(made.json())
    path = made.headers["location"]
    assert path == f"/v1/resources/{made.json()['id']}"
    assert (made.headers["etag"], made.headers["event-position"]) == ('"1"', "1")
    read = await studio.get(path)
    assert read.content == made.content
    assert (read.headers["etag"], read.headers["event-position"]) == ('"1"', "1")
    changed = await studio.patch(path, {"name": "Stage B"}, If_Match="*")
    assert changed.json() == made.json() | {
        "name": "Stage B",
        "version": 2,
        "position": 2,
        "updated_at": changed.json()["updated_at"],
    }
    assert_problem(await studio.patch(path, {"name": "C"}, If_Match='"1"'), 412, "version-mismatch")


async def test_a_retired_resource_takes_no_new_claims(studio: Studio) -> None:
    stage = await studio.resource()
    booking = await studio.booking(stage)
    path = f"/v1/resources/{stage}"
    retired = await studio.post(f"{path}/retire", {}, If_Match='"1"')
    assert retired.json()["retired"] is True
    again = assert_problem(await studio.post(f"{path}/retire"), 409, "resource-retired")
    assert again["resource_ids"] == [stage]
    refused = await studio.post("/v1/bookings", new_booking([stage], end_time=f"{DAY}T23:00:00Z"))
    assert_problem(refused, 409, "resource-retired")
    assert (await studio.get(f"/v1/bookings/{booking['id']}")).json() == booking
    assert (await studio.patch(path, {"name": "Old stage"})).status_code == 200


async def test_resources_are_listed_by_name_in_pages(studio: Studio) -> None:
    ids = {name: await studio.resource(name) for name in ("b & c", "a", "Ü", "d")}
    await studio.post("/v1/resources", {"name": "0", "kind": "camera / lens", "timezone": "UTC"})
    listed: list[str] = []
    path = "/v1/resources?kind=stage&limit=3"
    while path:
        page = await studio.get(path)
        ResourceListBody.model_validate(page.json())
        assert page.headers["event-position"] == "5"
        listed += [resource["id"] for resource in page.json()["items"]]
        path = page.links["next"]["url"] if "link" in page.headers else ""
    assert listed == [ids[name] for name in ("a", "b & c", "d", "Ü")]
    single = await studio.get(f"/v1/resources/{listed[0]}")
    whole = await studio.get("/v1/resources?kind=stage&limit=1")
    assert whole.json()["items"] == [single.json()]
    other = await studio.get(f"/v1/resources?kind={quote('camera / lens', safe='')}")
    assert [resource["name"] for resource in other.json()["items"]] == ["0"]
    cursor = whole.json()["next_cursor"]
    moved = await studio.get(f"/v1/resources?kind=camera&cursor={cursor}")
    assert pointers(assert_problem(moved, 422, "validation-failed")) == ["/query/cursor"]


async def test_a_cursor_is_no_use_to_another_studio(studio: Studio, other_studio: Studio) -> None:
    for name in ("a", "b"):
        await studio.resource(name)
    cursor = (await studio.get("/v1/resources?limit=1")).json()["next_cursor"]
    answer = await other_studio.get(f"/v1/resources?limit=1&cursor={cursor}")
    assert pointers(assert_problem(answer, 422, "validation-failed")) == ["/query/cursor"]


async def test_the_calendar_tells_what_occupies_a_resource_in_pages(studio: Studio) -> None:
    stage = await studio.resource()
    made = [
        await studio.booking(
            stage,
            start_time=f"{DAY}T{hour:02}:00:00Z",
            end_time=f"{DAY}T{hour + 1:02}:00:00Z",
            status="held" if hour == 3 else "confirmed",
        )
        for hour in (5, 3, 4)
    ]
    listed: list[Json] = []
    path = f"/v1/resources/{stage}/calendar?{WINDOW}&limit=2"
    while path:
        page = await studio.get(path)
        CalendarBody.model_validate(page.json())
        assert page.headers["event-position"] == "4"
        listed += page.json()["items"]
        path = page.links["next"]["url"] if "link" in page.headers else ""
    assert [claim["booking_id"] for claim in listed] == [made[n]["id"] for n in (1, 2, 0)]
    assert listed[0] == {
        "resource_id": stage,
        "booking_id": made[1]["id"],
        "start_time": f"{DAY}T03:00:00Z",
        "end_time": f"{DAY}T04:00:00Z",
        "status": "held",
        "hold_expires_at": None,
    }


async def test_a_calendar_cursor_belongs_to_its_window(studio: Studio) -> None:
    stage = await studio.resource()
    for hour in (3, 4):
        await studio.booking(
            stage, start_time=f"{DAY}T{hour:02}:00:00Z", end_time=f"{DAY}T{hour:02}:30:00Z"
        )
    path = f"/v1/resources/{stage}/calendar"
    cursor = (await studio.get(f"{path}?{WINDOW}&limit=1")).json()["next_cursor"]
    other = f"{path}?from={DAY}T01:00:00Z&to={DAY}T12:00:00Z&limit=1&cursor={cursor}"
    problem = assert_problem(await studio.get(other), 422, "validation-failed")
    assert pointers(problem) == ["/query/cursor"]


async def test_availability_tells_what_is_free_of_each_and_of_all(studio: Studio) -> None:
    stage, camera = await studio.resource("Stage"), await studio.resource("Camera")
    await studio.booking(stage, start_time=f"{DAY}T02:00:00Z", end_time=f"{DAY}T04:00:00Z")
    await studio.booking(camera, start_time=f"{DAY}T05:00:00Z", end_time=f"{DAY}T12:00:00Z")
    path = f"/v1/availability?resource_id={stage}&resource_id={camera}&{WINDOW}"
    answer = await studio.get(path)
    assert answer.headers["event-position"] == "4"
    AvailabilityBody.model_validate(answer.json())

    def period(start: int, end: int) -> Json:
        return {"start_time": f"{DAY}T{start:02}:00:00Z", "end_time": f"{DAY}T{end:02}:00:00Z"}

    assert answer.json() == {
        "items": [
            {"resource_id": stage, "free": [period(0, 2), period(4, 12)]},
            {"resource_id": camera, "free": [period(0, 5)]},
        ],
        "common": [period(0, 2), period(4, 5)],
    }
    long_ones = (await studio.get(f"{path}&duration=PT2H")).json()
    assert long_ones["common"] == [period(0, 2)]


async def test_a_read_may_ask_for_what_was_just_written(studio: Studio) -> None:
    stage = await studio.resource()
    position = (await studio.post("/v1/bookings", new_booking([stage]))).headers["event-position"]
    booking = (await studio.get(f"/v1/resources/{stage}/calendar?{WINDOW}")).json()["items"][0]
    paths = [
        f"/v1/bookings/{booking['booking_id']}",
        f"/v1/bookings/{booking['booking_id']}/history",
        f"/v1/resources/{stage}",
        "/v1/resources",
        f"/v1/resources/{stage}/calendar?{WINDOW}",
        f"/v1/availability?resource_id={stage}&{WINDOW}",
        "/v1/events",
    ]
    for path in paths:
        reached = await studio.get(path, Min_Event_Position=position)
        assert reached.status_code == 200, path
        assert reached.headers["event-position"] == position
        beyond = await studio.get(path, Min_Event_Position=str(int(position) + 1))
        assert pointers(assert_problem(beyond, 422, "validation-failed")) == [
            "/header/Min-Event-Position"
        ]


async def test_a_window_with_too_much_in_it_is_refused(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projection, "MAX_CLAIMS", 1)
    stage = await studio.resource()
    for hour in (3, 4):
        await studio.booking(
            stage, start_time=f"{DAY}T{hour:02}:00:00Z", end_time=f"{DAY}T{hour:02}:30:00Z"
        )
    answer = await studio.get(f"/v1/availability?resource_id={stage}&{WINDOW}")
    assert pointers(assert_problem(answer, 422, "validation-failed")) == ["/query/to"]


async def test_a_position_not_reached_is_told_before_what_is_absent(studio: Studio) -> None:
    absent = uuid4()
    for path in (
        f"/v1/resources/{absent}",
        f"/v1/bookings/{absent}",
        f"/v1/bookings/{absent}/history",
    ):
        assert (await studio.get(path, min_event_position="1000000")).status_code == 422
        assert (await studio.get(path, min_event_position="0")).status_code == 404
