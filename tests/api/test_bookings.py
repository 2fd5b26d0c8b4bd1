"""Bookings over HTTP: made, read, changed, refused."""

from uuid import uuid4

from api.schemas.booking_bodies import BookingBody, HistoryBody
from tests.api.conftest import DAY, Studio, assert_problem, new_booking, pointers


async def test_a_booking_answers_with_where_it_is_and_what_it_is(studio: Studio) -> None:
    stage = await studio.resource()
    answer = await studio.post(
        "/v1/bookings",
        new_booking(
            [stage],
            start_time=f"{DAY}T10:00:00.25+01:00",
            end_time=f"{DAY}T12:00:00+01:00",
            customer={"id": "crm-1", "name": "Nova"},
            attributes={"crew": 14, "deep": {"er": [1.5, None, True]}},
        ),
    )
    assert answer.status_code == 201
    body = answer.json()
    BookingBody.model_validate(body)
    assert answer.headers["location"] == f"/v1/bookings/{body['id']}"
    assert answer.headers["etag"] == '"1"'
    assert answer.headers["event-position"] == "2"
    assert body["start_time"] == f"{DAY}T09:00:00.250000Z"
    assert body["end_time"] == f"{DAY}T11:00:00Z"
    assert body["customer"] == {"id": "crm-1", "name": "Nova"}
    assert body["attributes"] == {"crew": 14, "deep": {"er": [1.5, None, True]}}
    read = await studio.get(answer.headers["location"])
    assert read.status_code == 200
    assert read.content == answer.content
    assert read.headers["etag"] == '"1"'
    assert read.headers["event-position"] == "2"


async def test_text_of_any_language_comes_back_as_it_was_sent(studio: Studio) -> None:
    title = 'Grüße, 東京 \N{CLAPPER BOARD} \u2028 \\u0000 " \x7f'
    booking = await studio.booking(await studio.resource(), title=title, notes="\n\t")
    read = (await studio.get(f"/v1/bookings/{booking['id']}")).json()
    assert read["title"] == title
    assert read["notes"] == "\n\t"


async def test_a_conflict_names_the_booking_in_the_way(studio: Studio) -> None:
    stage, camera = await studio.resource("Stage"), await studio.resource("Camera")
    first = await studio.booking(camera, status="held")
    answer = await studio.post("/v1/bookings", new_booking([stage, camera]))
    problem = assert_problem(answer, 409, "booking-conflict")
    assert problem["conflicts"] == [
        {
            "resource_id": camera,
            "booking_id": first["id"],
            "start_time": f"{DAY}T09:00:00Z",
            "end_time": f"{DAY}T10:00:00Z",
            "status": "held",
        }
    ]


async def test_adjacent_bookings_do_not_collide(studio: Studio) -> None:
    stage = await studio.resource()
    await studio.booking(stage)
    await studio.booking(stage, start_time=f"{DAY}T10:00:00Z", end_time=f"{DAY}T11:00:00Z")


async def test_unknown_resources_are_pointed_to_and_keep_no_key(studio: Studio) -> None:
    stage, nowhere = await studio.resource(), str(uuid4())
    body = new_booking([stage, nowhere])
    refused = await studio.post("/v1/bookings", body, Idempotency_Key="k")
    problem = assert_problem(refused, 422, "unknown-resource")
    assert pointers(problem) == ["/resource_ids/1"]
    booked = await studio.post("/v1/bookings", new_booking([stage]), Idempotency_Key="k")
    assert booked.status_code == 201


async def test_another_studios_resource_is_as_unknown_as_one_that_is_none(
    studio: Studio, other_studio: Studio
) -> None:
    theirs, nowhere = await other_studio.resource(), str(uuid4())
    answers = [
        await studio.post("/v1/bookings", new_booking([resource]), X_Request_Id="r")
        for resource in (theirs, nowhere)
    ]
    assert_problem(answers[0], 422, "unknown-resource")
    assert answers[0].json() == answers[1].json()


async def test_another_studios_ids_are_answered_as_absent_ones(
    studio: Studio, other_studio: Studio
) -> None:
    stage = await other_studio.resource()
    booking = str((await other_studio.booking(stage))["id"])
    window = "from=2027-01-01T00:00:00Z&to=2027-12-01T00:00:00Z"
    requests = [
        ("GET", "/v1/bookings/{booking}"),
        ("GET", "/v1/bookings/{booking}/history"),
        ("PATCH", "/v1/bookings/{booking}"),
        ("POST", "/v1/bookings/{booking}/confirm"),
        ("POST", "/v1/bookings/{booking}/release"),
        ("POST", "/v1/bookings/{booking}/cancel"),
        ("POST", "/v1/bookings/{booking}/reschedule"),
        ("GET", "/v1/resources/{stage}"),
        ("GET", "/v1/resources/{stage}/calendar?" + window),
        ("PATCH", "/v1/resources/{stage}"),
        ("POST", "/v1/resources/{stage}/retire"),
        ("GET", "/v1/availability?resource_id={stage}&" + window),
    ]
    bodies = {"PATCH": {"attributes": {"a": 1}}, "reschedule": {"end_time": f"{DAY}T11:00:00Z"}}
    absent = {"booking": str(uuid4()), "stage": str(uuid4())}
    for method, path in requests:
        texts = set()
        for ids in ({"booking": booking, "stage": stage}, absent):
            answer = await studio.client.request(
                method,
                path.format(**ids),
                json=bodies.get(path.rpartition("/")[2], bodies.get(method)),
                headers={"X-Request-Id": "r"},
            )
            assert_problem(answer, 404, "not-found")
            texts.add(answer.text.replace(ids["booking"], "ID").replace(ids["stage"], "ID"))
        assert len(texts) == 1, path
    assert (await other_studio.get(f"/v1/bookings/{booking}")).json()["version"] == 1


async def test_a_booking_is_no_resource_and_a_resource_no_booking(studio: Studio) -> None:
    stage = await studio.resource()
    booking = (await studio.booking(stage))["id"]
    assert_problem(await studio.get(f"/v1/bookings/{stage}"), 404, "not-found")
    assert_problem(await studio.get(f"/v1/bookings/{stage}/history"), 404, "not-found")
    assert_problem(await studio.post(f"/v1/bookings/{stage}/cancel"), 404, "not-found")
    assert_problem(await studio.get(f"/v1/resources/{booking}"), 404, "not-found")
    assert_problem(await studio.post(f"/v1/resources/{booking}/retire"), 404, "not-found")


async def test_absent_is_not_null(studio: Studio) -> None:
    booking = await studio.booking(
        await studio.resource(),
        notes="n",
        reference="r",
        customer={"id": "crm-1", "email": "a@b.example"},
        attributes={"a": 1},
    )
    path = f"/v1/bookings/{booking['id']}"
    renamed = (await studio.patch(path, {"title": "Other"}, If_Match='"1"')).json()
    assert renamed == booking | {
        "title": "Other",
        "version": 2,
        "position": 3,
        "updated_at": renamed["updated_at"],
    }
    cleared = (
        await studio.patch(path, {"notes": None, "reference": None, "customer": None})
    ).json()
    assert cleared["title"] == "Other"
    assert (cleared["notes"], cleared["reference"], cleared["customer"]) == (None, None, None)
    assert cleared["attributes"] == {"a": 1}
    assert (await studio.patch(path, {"attributes": {}})).json()["attributes"] == {}


async def test_a_change_to_what_is_so_already_records_nothing(studio: Studio) -> None:
    booking = await studio.booking(await studio.resource())
    answer = await studio.patch(f"/v1/bookings/{booking['id']}", {"title": booking["title"]})
    assert answer.status_code == 200
    assert answer.headers["etag"] == '"1"'
    assert answer.json() == booking


async def test_a_hold_is_confirmed_and_a_confirmed_booking_cancelled(studio: Studio) -> None:
    stage = await studio.resource()
    path = f"/v1/bookings/{(await studio.booking(stage, status='held'))['id']}"
    confirmed = await studio.post(f"{path}/confirm", {"reason": "signed"})
    assert confirmed.json()["status"] == "confirmed"
    assert confirmed.headers["etag"] == '"2"'
    refused = assert_problem(await studio.post(f"{path}/release"), 409, "invalid-transition")
    assert refused["booking_status"] == "confirmed"
    cancelled = await studio.post(f"{path}/cancel", {})
    assert cancelled.json()["status"] == "cancelled"
    await studio.booking(stage)
    amended = await studio.patch(path, {"notes": "still told"})
    assert amended.status_code == 200


async def test_a_hold_is_released(studio: Studio) -> None:
    path = f"/v1/bookings/{(await studio.booking(await studio.resource(), status='held'))['id']}"
    assert (await studio.post(f"{path}/release")).json()["status"] == "released"


async def test_a_hold_cannot_expire_before_it_is_made(studio: Studio) -> None:
    body = new_booking(
        [await studio.resource()], status="held", hold_expires_at="2020-01-01T00:00:00Z"
    )
    problem = assert_problem(await studio.post("/v1/bookings", body), 422, "validation-failed")
    assert pointers(problem) == ["/hold_expires_at"]


async def test_a_refused_move_keeps_the_old_claim(studio: Studio) -> None:
    stage, camera = await studio.resource("Stage"), await studio.resource("Camera")
    await studio.booking(camera)
    path = f"/v1/bookings/{(await studio.booking(stage))['id']}"
    moved = await studio.post(f"{path}/reschedule", {"end_time": f"{DAY}T09:30:00Z"})
    assert moved.json()["end_time"] == f"{DAY}T09:30:00Z"
    refused = await studio.post(f"{path}/reschedule", {"resource_ids": [stage, camera]})
    assert_problem(refused, 409, "booking-conflict")
    inverted = await studio.post(f"{path}/reschedule", {"start_time": f"{DAY}T12:00:00Z"})
    assert pointers(assert_problem(inverted, 422, "validation-failed")) == ["/end_time"]
    unknown = await studio.post(f"{path}/reschedule", {"resource_ids": [str(uuid4())]})
    assert pointers(assert_problem(unknown, 422, "unknown-resource")) == ["/resource_ids/0"]
    assert (await studio.get(path)).json()["resource_ids"] == [stage]


async def test_history_tells_who_did_what(studio: Studio) -> None:
    booking = await studio.booking(
        await studio.resource(), status="held", customer={"id": "crm-1", "name": "Secret Name"}
    )
    path = f"/v1/bookings/{booking['id']}"
    await studio.post(f"{path}/confirm", {"reason": "signed"}, X_Request_Id="who-confirms")
    await studio.post(f"{path}/cancel")
    page = await studio.get(f"{path}/history?limit=2")
    HistoryBody.model_validate(page.json())
    placed, confirmed = page.json()["items"]
    assert placed["type"] == "booking.hold_placed"
    assert "Secret Name" not in page.text
    assert (confirmed["type"], confirmed["data"]) == ("booking.confirmed", {"reason": "signed"})
    assert confirmed["request_id"] == "who-confirms"
    assert confirmed["actor"].startswith("key:")
    assert (confirmed["version"], confirmed["position"]) == (2, 3)
    assert page.headers["event-position"] == "4"
    assert page.headers["link"] == (
        f'<{path}/history?limit=2&cursor={page.json()["next_cursor"]}>; rel="next"'
    )
    rest = await studio.get(page.links["next"]["url"])
    assert [event["type"] for event in rest.json()["items"]] == ["booking.cancelled"]
    assert rest.json()["next_cursor"] is None
    assert "link" not in rest.headers
