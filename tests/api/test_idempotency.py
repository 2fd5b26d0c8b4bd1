"""A lost answer can be asked for again."""

import asyncio

import pytest
from pydantic import JsonValue

from tests.api.conftest import DAY, Json, Studio, assert_problem, new_booking, pointers


async def test_the_same_request_gets_the_same_answer(studio: Studio) -> None:
    body = new_booking(
        [await studio.resource()], customer={"id": "crm-1"}, attributes={"b": 1, "a": [1, {}]}
    )
    first = await studio.post("/v1/bookings", body, Idempotency_Key="k")
    assert "idempotent-replayed" not in first.headers
    await studio.post(f"/v1/bookings/{first.json()['id']}/cancel")
    again = await studio.post("/v1/bookings", dict(reversed(body.items())), Idempotency_Key='"k"')
    assert again.status_code == 201
    assert again.headers["idempotent-replayed"] == "true"
    assert again.content == first.content
    for name in ("etag", "location", "event-position"):
        assert again.headers[name] == first.headers[name]


async def test_a_refusal_that_was_decided_is_kept_too(studio: Studio) -> None:
    stage = await studio.resource()
    blocker = await studio.booking(stage)
    body = new_booking([stage])
    first = await studio.post("/v1/bookings", body, Idempotency_Key="k", X_Request_Id="first")
    await studio.post(f"/v1/bookings/{blocker['id']}/cancel")
    again = await studio.post("/v1/bookings", body, Idempotency_Key="k", X_Request_Id="second")
    assert_problem(again, 409, "booking-conflict")
    assert again.content == first.content
    assert again.json()["request_id"] == "first"
    assert again.headers["x-request-id"] == "second"
    assert again.headers["idempotent-replayed"] == "true"


async def test_a_refused_transition_is_kept_too(studio: Studio) -> None:
    path = f"/v1/bookings/{(await studio.booking(await studio.resource()))['id']}/release"
    first = await studio.post(path, Idempotency_Key="k")
    again = await studio.post(path, Idempotency_Key="k")
    assert_problem(again, 409, "invalid-transition")
    assert again.content == first.content
    assert again.headers["idempotent-replayed"] == "true"


async def test_another_request_under_the_key_is_refused(studio: Studio) -> None:
    stage = await studio.resource()
    body = new_booking([stage])
    booking = (await studio.post("/v1/bookings", body, Idempotency_Key="k")).json()
    path = f"/v1/bookings/{booking['id']}"
    others = [
        await studio.post("/v1/bookings", body | {"title": "Other"}, Idempotency_Key="k"),
        await studio.post(f"{path}/cancel", Idempotency_Key="k"),
        await studio.patch(path, {"title": "Other"}, Idempotency_Key="k"),
    ]
    for answer in others:
        problem = assert_problem(answer, 422, "idempotency-key-reused")
        assert pointers(problem) == ["/header/Idempotency-Key"]
    assert (await studio.get(path)).json() == booking


async def test_the_condition_belongs_to_the_request(studio: Studio) -> None:
    path = f"/v1/bookings/{(await studio.booking(await studio.resource()))['id']}/cancel"
    assert (await studio.post(path, Idempotency_Key="k", If_Match='"1"')).status_code == 200
    answer = await studio.post(path, Idempotency_Key="k")
    assert_problem(answer, 422, "idempotency-key-reused")


async def test_a_version_mismatch_keeps_no_key(studio: Studio) -> None:
    path = f"/v1/bookings/{(await studio.booking(await studio.resource()))['id']}/cancel"
    stale = await studio.post(path, Idempotency_Key="k", If_Match='"9"')
    assert_problem(stale, 412, "version-mismatch")
    assert (await studio.post(path, Idempotency_Key="k", If_Match='"1"')).status_code == 200


async def test_a_key_is_the_tenants_own(studio: Studio, other_studio: Studio) -> None:
    for one in (studio, other_studio):
        answer = await one.post(
            "/v1/bookings", new_booking([await one.resource()]), Idempotency_Key="k"
        )
        assert answer.status_code == 201
        assert "idempotent-replayed" not in answer.headers


async def test_one_key_sent_by_many_at_once_books_once(studio: Studio) -> None:
    body = new_booking([await studio.resource()])
    answers = await asyncio.gather(
        *(studio.post("/v1/bookings", body, Idempotency_Key="k") for _ in range(32))
    )
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert sum("idempotent-replayed" not in answer.headers for answer in answers) == 1


async def test_one_slot_wanted_by_many_at_once_goes_to_one(studio: Studio) -> None:
    body = new_booking([await studio.resource()])
    answers = await asyncio.gather(*(studio.post("/v1/bookings", body) for _ in range(32)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 31


@pytest.mark.parametrize(
    ("path", "body", "change"),
    [
        ("/v1/resources", {"name": "A", "kind": "b", "timezone": "UTC"}, {"name": "B"}),
        ("/v1/resources/{stage}", {"name": "New"}, {"name": "Newer"}),
        ("/v1/bookings/{booking}", {"notes": "n"}, {"notes": "o"}),
        ("/v1/bookings/{booking}/reschedule", {"end_time": f"{DAY}T09:30:00Z"},
         {"end_time": f"{DAY}T09:40:00Z"}),
    ],
)  # fmt: skip
async def test_every_write_takes_a_key(
    studio: Studio, path: str, body: Json, change: dict[str, JsonValue]
) -> None:
    stage = await studio.resource()
    booking = str((await studio.booking(stage))["id"])
    path = path.format(stage=stage, booking=booking)
    method = "POST" if path.endswith(("resources", "reschedule")) else "PATCH"
    headers = {"Idempotency-Key": "k"}
    first = await studio.client.request(method, path, json=body, headers=headers)
    assert first.is_success
    again = await studio.client.request(method, path, json=body, headers=headers)
    assert again.content == first.content
    assert again.headers["idempotent-replayed"] == "true"
    other = await studio.client.request(method, path, json=body | change, headers=headers)
    assert_problem(other, 422, "idempotency-key-reused")
