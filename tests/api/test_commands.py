"""Many commands in one request: each for itself, or all or none."""

from typing import cast

from httpx import Response

from api.schemas.command_bodies import CommandsBody
from tests.api.conftest import DAY, Json, Studio, assert_problem, new_booking, pointers


def results(answer: Response, *, applied: bool) -> list[Json]:
    assert answer.status_code == 200, answer.text
    body = answer.json()
    CommandsBody.model_validate(body)
    assert body["applied"] is applied
    return cast("list[Json]", body["results"])


def bodies(answer: Response, *, applied: bool) -> list[Json]:
    return [cast("Json", result["body"]) for result in results(answer, applied=applied)]


async def test_each_command_is_answered_as_by_its_own_endpoint(studio: Studio) -> None:
    stage = await studio.resource()
    held = await studio.booking(stage, status="held")
    later = new_booking([stage], start_time=f"{DAY}T12:00:00Z", end_time=f"{DAY}T13:00:00Z")
    answer = await studio.post(
        "/v1/commands",
        {
            "commands": [
                {"type": "book", **later},
                {"type": "book", **new_booking([stage])},
                {"type": "confirm", "booking_id": held["id"], "reason": "signed"},
                {"type": "amend", "booking_id": held["id"], "notes": "n", "if_match": 2},
                {"type": "amend", "booking_id": held["id"], "notes": "m", "if_match": '"2"'},
                {"type": "release", "booking_id": held["id"]},
                {"type": "reschedule", "booking_id": held["id"], "end_time": f"{DAY}T09:30:00Z"},
                {"type": "cancel", "booking_id": held["id"]},
                {"type": "cancel", "booking_id": stage},
            ]
        },
        X_Request_Id="batch",
    )
    given = results(answer, applied=False)
    statuses = [result["status"] for result in given]
    assert statuses == [201, 409, 200, 200, 412, 409, 200, 200, 404]
    conflict = cast("Json", given[1]["body"])
    assert conflict["type"] == "/problems/booking-conflict"
    assert conflict["instance"] == "/v1/commands#/commands/1"
    assert conflict["request_id"] == "batch"
    last = cast("Json", given[7]["body"])
    assert (last["status"], last["notes"], last["version"]) == ("cancelled", "n", 5)
    assert answer.headers["event-position"] == str(last["position"])
    assert (await studio.get(f"/v1/bookings/{held['id']}")).json() == last


async def test_two_bookings_swap_their_slots(studio: Studio) -> None:
    stage, camera = await studio.resource("Stage"), await studio.resource("Camera")
    one, two = await studio.booking(stage), await studio.booking(camera)
    swap = [
        {"type": "reschedule", "booking_id": one["id"], "resource_ids": [camera]},
        {"type": "reschedule", "booking_id": two["id"], "resource_ids": [stage]},
    ]
    singly = results(await studio.post("/v1/commands", {"commands": swap}), applied=False)
    assert [result["status"] for result in singly] == [409, 409]
    answer = await studio.post("/v1/commands", {"commands": swap, "atomic": True})
    swapped = bodies(answer, applied=True)
    assert [body["resource_ids"] for body in swapped] == [[camera], [stage]]


async def test_an_atomic_request_is_refused_whole(studio: Studio) -> None:
    stage, camera = await studio.resource("Stage"), await studio.resource("Camera")
    blocker = await studio.booking(camera)
    answer = await studio.post(
        "/v1/commands",
        {
            "atomic": True,
            "commands": [
                {"type": "book", **new_booking([stage])},
                {"type": "book", **new_booking([camera])},
                {"type": "amend", "booking_id": blocker["id"], "notes": "n"},
            ],
        },
    )
    given = results(answer, applied=False)
    assert [result["status"] for result in given] == [409, 409, 409]
    first, culprit, third = bodies(answer, applied=False)
    assert culprit["type"] == "/problems/booking-conflict"
    assert first["type"] == third["type"] == "/problems/not-attempted"
    assert first["culprit"] == third["culprit"] == 1
    assert "event-position" not in answer.headers
    assert (await studio.get(f"/v1/bookings/{blocker['id']}")).json() == blocker
    await studio.booking(stage)


async def test_a_collision_within_an_atomic_request_is_told_as_such(studio: Studio) -> None:
    stage = await studio.resource()
    book = {"type": "book", **new_booking([stage])}
    answer = await studio.post("/v1/commands", {"atomic": True, "commands": [book, book]})
    _, second = bodies(answer, applied=False)
    (conflict,) = cast("list[Json]", second["conflicts"])
    assert conflict["status"] == "same-request"


async def test_unknown_resources_are_pointed_to_in_their_command(studio: Studio) -> None:
    stage = await studio.resource()
    book = {"type": "book", **new_booking([stage])}
    unknown = {"type": "book", **new_booking([stage, "01981d2a-7c00-7a3e-8f10-5b1c6e2d9a01"])}
    for atomic in (True, False):
        answer = await studio.post("/v1/commands", {"atomic": atomic, "commands": [book, unknown]})
        problem = bodies(answer, applied=False)[1]
        assert problem["type"] == "/problems/unknown-resource"
        assert pointers(problem) == ["/commands/1/resource_ids/1"]


async def test_a_header_key_stands_for_each_command_by_its_place(studio: Studio) -> None:
    stage = await studio.resource()
    later = new_booking([stage], start_time=f"{DAY}T12:00:00Z", end_time=f"{DAY}T13:00:00Z")
    body = {"commands": [{"type": "book", **new_booking([stage])}, {"type": "book", **later}]}
    first = await studio.post("/v1/commands", body, Idempotency_Key="k")
    results(first, applied=True)
    again = await studio.post("/v1/commands", body, Idempotency_Key="k")
    assert again.content == first.content
    assert again.headers["idempotent-replayed"] == "true"
    body["commands"].append({"type": "book", **new_booking([stage])})
    other = bodies(await studio.post("/v1/commands", body, Idempotency_Key="k"), applied=False)
    assert [problem["type"] for problem in other] == [
        "/problems/idempotency-key-reused",
        "/problems/idempotency-key-reused",
        "/problems/booking-conflict",
    ]
    assert pointers(other[0]) == ["/header/Idempotency-Key"]
    single = await studio.post("/v1/bookings", later, Idempotency_Key="k#1")
    assert_problem(single, 422, "idempotency-key-reused")


async def test_a_commands_own_key_stands_for_it_alone(studio: Studio) -> None:
    stage = await studio.resource()
    book = {"type": "book", "idempotency_key": "own", **new_booking([stage])}
    (first,) = bodies(await studio.post("/v1/commands", {"commands": [book]}), applied=True)
    answer = await studio.post(
        "/v1/commands",
        {"commands": [{"type": "cancel", "booking_id": first["id"]}, book]},
        Idempotency_Key="header",
    )
    _, again = bodies(answer, applied=True)
    assert again == first
    assert "idempotent-replayed" not in answer.headers
    other = await studio.post("/v1/commands", {"commands": [book | {"title": "Other"}]})
    (problem,) = bodies(other, applied=False)
    assert pointers(problem) == ["/commands/0/idempotency_key"]


async def test_an_atomic_request_is_replayed_whole(studio: Studio) -> None:
    stage, camera = await studio.resource("Stage"), await studio.resource("Camera")
    book = {"type": "book", **new_booking([stage])}
    also = {"type": "book", "idempotency_key": "own", **new_booking([camera])}
    body = {"atomic": True, "commands": [book, also]}
    first = await studio.post("/v1/commands", body, Idempotency_Key="k")
    again = await studio.post("/v1/commands", body, Idempotency_Key="k")
    results(again, applied=True)
    assert again.content == first.content
    assert again.headers["idempotent-replayed"] == "true"
    other = await studio.post(
        "/v1/commands", {"atomic": True, "commands": [also, book]}, Idempotency_Key="k"
    )
    assert_problem(other, 422, "idempotency-key-reused")


async def test_an_atomic_refusal_is_replayed_whole(studio: Studio) -> None:
    stage, camera = await studio.resource("Stage"), await studio.resource("Camera")
    blocker = await studio.booking(camera)
    body = {
        "atomic": True,
        "commands": [
            {"type": "book", **new_booking([stage])},
            {"type": "book", **new_booking([camera])},
        ],
    }
    first = await studio.post("/v1/commands", body, Idempotency_Key="k", X_Request_Id="one")
    await studio.post(f"/v1/bookings/{blocker['id']}/cancel")
    again = await studio.post("/v1/commands", body, Idempotency_Key="k", X_Request_Id="two")
    assert again.content == first.content
    assert again.headers["idempotent-replayed"] == "true"


async def test_five_hundred_commands_are_answered_in_their_order(studio: Studio) -> None:
    stage = await studio.resource()
    held = await studio.booking(stage)
    commands = [
        {"type": "amend", "booking_id": held["id"], "notes": f"note {n}"}
        if n % 100 == 0
        else {"type": "book", **new_booking([stage], title=f"{n}")}
        for n in range(500)
    ]
    given = results(await studio.post("/v1/commands", {"commands": commands}), applied=False)
    assert [result["status"] for result in given] == [
        200 if n % 100 == 0 else 409 for n in range(500)
    ]
