"""Whatever is wrong with the form of a request is refused, and pointed to."""

import json
from uuid import uuid4

from pydantic import JsonValue

from tests.api.conftest import DAY, Json, Studio, assert_problem, new_booking, pointers

RESOURCE = str(uuid4())
DEEP: JsonValue = 1
for _ in range(9):
    DEEP = [DEEP]

BOOKING_FAULTS: list[tuple[Json, str]] = [
    ({"resource_ids": []}, "/resource_ids"),
    ({"resource_ids": [RESOURCE, RESOURCE]}, "/resource_ids"),
    ({"resource_ids": [str(uuid4()) for _ in range(101)]}, "/resource_ids"),
    ({"resource_ids": [RESOURCE, "stage"]}, "/resource_ids/1"),
    ({"resource_ids": [1]}, "/resource_ids/0"),
    ({"resource_ids": RESOURCE}, "/resource_ids"),
    ({"start_time": f"{DAY}T09:00:00"}, "/start_time"),
    ({"start_time": 1772355600}, "/start_time"),
    ({"start_time": None}, "/start_time"),
    ({"end_time": f"{DAY}T09:59:60Z"}, "/end_time"),
    ({"end_time": f"{DAY}T09:00:00Z"}, "/end_time"),
    ({"end_time": f"{DAY}T08:00:00Z"}, "/end_time"),
    ({"end_time": "2028-03-02T09:00:00.000001Z"}, "/end_time"),
    ({"title": ""}, "/title"),
    ({"title": " \t"}, "/title"),
    ({"title": "x" * 201}, "/title"),
    ({"title": None}, "/title"),
    ({"title": 7}, "/title"),
    ({"status": "cancelled"}, "/status"),
    ({"status": "HELD"}, "/status"),
    ({"hold_expires_at": "2027-01-01T00:00:00Z"}, "/hold_expires_at"),
    ({"status": "held", "hold_expires_at": "soon"}, "/hold_expires_at"),
    ({"customer": "crm-1"}, "/customer"),
    ({"customer": {"name": "Nova"}}, "/customer/id"),
    ({"customer": {"id": ""}}, "/customer/id"),
    ({"customer": {"id": "crm-1", "age": 4}}, "/customer/age"),
    ({"customer": {"id": "crm-1", "name": "x" * 201}}, "/customer/name"),
    ({"notes": "x" * 4001}, "/notes"),
    ({"reference": ""}, "/reference"),
    ({"reference": "x" * 101}, "/reference"),
    ({"attributes": None}, "/attributes"),
    ({"attributes": [1]}, "/attributes"),
    ({"attributes": {"a": "x" * 8192}}, "/attributes"),
    ({"attributes": {"a": DEEP}}, "/attributes"),
    ({"attributes": {"a": 2**63}}, "/attributes"),
    ({"id": RESOURCE}, "/id"),
    ({"a/b~c": 1}, "/a~1b~0c"),
]


# One database for a whole table: what is refused leaves nothing behind.
async def test_every_fault_in_a_booking_is_pointed_to(studio: Studio) -> None:
    for fault, pointer in BOOKING_FAULTS:
        answer = await studio.post("/v1/bookings", new_booking([RESOURCE], **fault))
        problem = assert_problem(answer, 422, "validation-failed")
        assert pointers(problem) == [pointer], fault


async def test_what_is_missing_is_named_all_at_once(studio: Studio) -> None:
    problem = assert_problem(await studio.post("/v1/bookings", {}), 422, "validation-failed")
    missing = ["/resource_ids", "/start_time", "/end_time", "/title", "/status"]
    assert pointers(problem) == missing


async def test_attributes_that_no_double_can_hold_are_refused(studio: Studio) -> None:
    body = json.dumps(new_booking([RESOURCE], attributes={"a": "HUGE"})).replace('"HUGE"', "1e999")
    answer = await studio.client.post(
        "/v1/bookings", content=body, headers={"Content-Type": "application/json"}
    )
    assert pointers(assert_problem(answer, 422, "validation-failed")) == ["/attributes"]


async def test_every_fault_in_an_amendment_is_pointed_to(studio: Studio) -> None:
    faults: list[tuple[object, str]] = [
        ({}, ""),
        ([], ""),
        ("title", ""),
        ({"title": None}, "/title"),
        ({"attributes": None}, "/attributes"),
        ({"status": "confirmed"}, "/status"),
        ({"start_time": f"{DAY}T09:00:00Z"}, "/start_time"),
    ]
    for fault, pointer in faults:
        answer = await studio.patch(f"/v1/bookings/{uuid4()}", fault)
        problem = assert_problem(answer, 422, "validation-failed")
        assert pointers(problem)[:1] == [pointer], fault


async def test_every_fault_in_a_transition_is_pointed_to(studio: Studio) -> None:
    faults: list[tuple[str, object, str]] = [
        ("confirm", {"reason": "x" * 501}, "/reason"),
        ("release", {"reason": 1}, "/reason"),
        ("cancel", {"why": "rain"}, "/why"),
        ("reschedule", {}, ""),
        ("reschedule", {"start_time": None}, ""),
        ("reschedule", {"start_time": f"{DAY}T09:00:00"}, "/start_time"),
        (
            "reschedule",
            {"start_time": f"{DAY}T09:00:00Z", "end_time": f"{DAY}T09:00:00Z"},
            "/end_time",
        ),
        ("reschedule", {"resource_ids": []}, "/resource_ids"),
        ("reschedule", {"title": "x"}, "/title"),
    ]
    for transition, fault, pointer in faults:
        answer = await studio.post(f"/v1/bookings/{uuid4()}/{transition}", fault)
        problem = assert_problem(answer, 422, "validation-failed")
        assert pointers(problem) == [pointer], (transition, fault)


async def test_every_fault_in_a_resource_is_pointed_to(studio: Studio) -> None:
    faults: list[tuple[Json, str]] = [
        ({"name": ""}, "/name"),
        ({"name": "x" * 201}, "/name"),
        ({"kind": " "}, "/kind"),
        ({"timezone": "Vienna"}, "/timezone"),
        ({"timezone": "europe/vienna"}, "/timezone"),
        ({"timezone": "../etc/passwd"}, "/timezone"),
        ({"timezone": "+01:00"}, "/timezone"),
        ({"attributes": "none"}, "/attributes"),
        ({"retired": False}, "/retired"),
    ]
    form: Json = {"name": "Stage A", "kind": "stage", "timezone": "Europe/Vienna"}
    for fault, pointer in faults:
        made = await studio.post("/v1/resources", form | fault)
        assert pointers(assert_problem(made, 422, "validation-failed")) == [pointer], fault
        changed = await studio.patch(f"/v1/resources/{uuid4()}", fault)
        assert pointers(assert_problem(changed, 422, "validation-failed")) == [pointer], fault
    for fault, pointer in ({}, ""), ({"name": None}, "/name"):  # type: ignore[assignment]  # other shapes
        changed = await studio.patch(f"/v1/resources/{uuid4()}", fault)
        assert pointers(assert_problem(changed, 422, "validation-failed")) == [pointer], fault


async def test_every_fault_in_commands_is_pointed_to(studio: Studio) -> None:
    book = {"type": "book", **new_booking([RESOURCE])}
    confirm: Json = {"type": "confirm", "booking_id": RESOURCE}
    faults: list[tuple[Json, list[str]]] = [
        ({}, ["/commands"]),
        ({"commands": []}, ["/commands"]),
        ({"commands": [confirm] * 501}, ["/commands"]),
        ({"commands": [confirm] * 101, "atomic": True}, ["/commands"]),
        ({"commands": [confirm], "atomic": "yes"}, ["/atomic"]),
        ({"commands": [confirm], "also": 1}, ["/also"]),
        ({"commands": [confirm, {}]}, ["/commands/1/type"]),
        ({"commands": [{"type": "lapse"}]}, ["/commands/0/type"]),
        ({"commands": ["confirm"]}, ["/commands/0"]),
        ({"commands": [{"type": "confirm"}]}, ["/commands/0/booking_id"]),
        ({"commands": [confirm, confirm | {"title": "x"}]}, ["/commands/1/title"]),
        ({"commands": [book | {"booking_id": RESOURCE}]}, ["/commands/0/booking_id"]),
        ({"commands": [book | {"if_match": 1}]}, ["/commands/0/if_match"]),
        ({"commands": [book | {"title": ""}, {"type": "amend", "booking_id": RESOURCE}]},
         ["/commands/0/title", "/commands/1"]),
        ({"commands": [confirm | {"if_match": 0}]}, ["/commands/0/if_match"]),
        ({"commands": [confirm | {"if_match": "3"}]}, ["/commands/0/if_match"]),
        ({"commands": [confirm | {"if_match": True}]}, ["/commands/0/if_match"]),
        ({"commands": [confirm | {"idempotency_key": ""}]}, ["/commands/0/idempotency_key"]),
        ({"commands": [confirm | {"idempotency_key": "x" * 256}]},
         ["/commands/0/idempotency_key"]),
        ({"commands": [book | {"customer": {"id": "a", "b": 1}}]}, ["/commands/0/customer/b"]),
    ]  # fmt: skip
    for fault, expected in faults:
        problem = assert_problem(await studio.post("/v1/commands", fault), 422, "validation-failed")
        assert pointers(problem) == expected, str(fault)[:100]


async def test_every_fault_in_a_query_is_pointed_to(studio: Studio) -> None:
    calendar = f"/v1/resources/{RESOURCE}/calendar?from=2027-01-01T00:00:00Z"
    free = (
        f"/v1/availability?from=2027-01-01T00:00:00Z&to=2027-02-01T00:00:00Z&resource_id={RESOURCE}"
    )
    faults = [
        ("/v1/resources?limit=0", "/query/limit"),
        ("/v1/resources?limit=201", "/query/limit"),
        ("/v1/resources?limit=many", "/query/limit"),
        ("/v1/resources?limit=1&limit=2", "/query/limit"),
        ("/v1/resources?kind=", "/query/kind"),
        ("/v1/resources?kind=a%00b", "/query/kind"),
        ("/v1/resources?cursor=abc", "/query/cursor"),
        ("/v1/resources?as_of=3", "/query/as_of"),
        ("/v1/resources/stage-a", "/path/resource_id"),
        ("/v1/bookings/1", "/path/booking_id"),
        (f"/v1/bookings/{RESOURCE}?as_of=3", "/query/as_of"),
        (f"/v1/bookings/{RESOURCE}/history?limit=0", "/query/limit"),
        (calendar, "/query/to"),
        (f"{calendar}&to=2027-01-01T00:00:00Z", "/query/to"),
        (f"{calendar}&to=2026-01-01T00:00:00Z", "/query/to"),
        (f"{calendar}&to=2028-01-03T00:00:00Z", "/query/to"),
        (f"{calendar}&to=2027-02-01", "/query/to"),
        (f"{calendar}&to=2027-02-01T00:00:00Z&form=x", "/query/form"),
        (
            "/v1/availability?from=2027-01-01T00:00:00Z&to=2027-02-01T00:00:00Z",
            "/query/resource_id",
        ),
        (f"{free}&resource_id=x", "/query/resource_id/1"),
        (free + f"&resource_id={RESOURCE}" * 200, "/query/resource_id"),
        (f"{free}&duration=P1M", "/query/duration"),
        (f"{free}&duration=PT0S", "/query/duration"),
        ("/v1/events?after=-1", "/query/after"),
        ("/v1/events?after=9223372036854775808", "/query/after"),
        ("/v1/events?topic=booking%25", "/query/topic"),
    ]
    for path, pointer in faults:
        problem = assert_problem(await studio.get(path), 422, "validation-failed")
        assert pointers(problem) == [pointer], path


async def test_every_fault_in_a_header_is_pointed_to(studio: Studio) -> None:
    path = f"/v1/bookings/{uuid4()}"
    refused = [
        await studio.post(f"{path}/confirm", If_Match="3"),
        await studio.post(f"{path}/confirm", Idempotency_Key="x" * 256),
        await studio.post("/v1/bookings", new_booking([RESOURCE]), If_Match='"1"'),
        await studio.post(
            "/v1/commands", {"commands": [{"type": "cancel", "booking_id": RESOURCE}]}, If_Match="*"
        ),
        await studio.get(path, Min_Event_Position="-1"),
        await studio.get("/v1/resources", Min_Event_Position="1"),
        await studio.get("/v1/events", Min_Event_Position="1"),
    ]
    assert [pointers(assert_problem(answer, 422, "validation-failed")) for answer in refused] == [
        ["/header/If-Match"],
        ["/header/Idempotency-Key"],
        ["/header/If-Match"],
        ["/header/If-Match"],
        ["/header/Min-Event-Position"],
        ["/header/Min-Event-Position"],
        ["/header/Min-Event-Position"],
    ]


async def test_a_plus_sign_in_a_query_that_was_not_escaped_is_understood(studio: Studio) -> None:
    stage = await studio.resource()
    path = f"/v1/resources/{stage}/calendar"
    window = "?from=2027-01-01T00:00:00+01:00&to=2027-02-01T00:00:00+01:00"
    assert (await studio.get(path + window)).status_code == 200
