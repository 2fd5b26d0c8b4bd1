"""What is answered where several things are wrong at once, and what every answer carries."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from starlette.types import Message, Scope
from structlog.typing import EventDict

from api.services import Services
from tests.api.conftest import Studio, assert_problem

TOO_LARGE = b'{"title": "' + b"x" * 65_536 + b'"}'
JSON = {"Content-Type": "application/json"}


async def test_who_asks_comes_first(studio: Studio) -> None:
    nobody = studio.with_key(None)
    for path in ("/v1/bookings", "/v1/nowhere", "/metrics", "/", "/v1/bookings/not-an-id"):
        answer = await nobody.post(path, content=TOO_LARGE)
        assert_problem(answer, 401, "unauthenticated")
        assert answer.headers["www-authenticate"] == 'Bearer realm="booking"'


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic YTpi",
        "Bearer bk_unknown",
        "bk_unknown",
        "Bearer " + "x" * 600,
    ],
)
async def test_a_key_that_is_not_known_is_no_key(studio: Studio, authorization: str) -> None:
    answer = await studio.with_key(None).get(
        "/v1/resources", headers={"Authorization": authorization}
    )
    assert_problem(answer, 401, "unauthenticated")


async def test_the_scheme_is_written_as_one_likes(studio: Studio) -> None:
    key = studio.keys["admin"]
    for authorization in (f"bearer {key}", f"BEARER   {key}"):
        answer = await studio.with_key(None).get(
            "/v1/resources", headers={"Authorization": authorization}
        )
        assert answer.status_code == 200


async def test_the_role_comes_before_the_form(studio: Studio) -> None:
    viewer = studio.as_role("viewer")
    answers = [
        await viewer.post("/v1/bookings", content=TOO_LARGE, headers=JSON),
        await viewer.post("/v1/bookings", content=b"{", headers={"Content-Type": "text/plain"}),
        await viewer.post("/v1/bookings?x=1", json={}),
        await viewer.patch("/v1/resources/not-an-id", json={}),
        await viewer.post(f"/v1/bookings/{uuid4()}/confirm", headers={"If-Match": "x"}),
    ]
    for answer in answers:
        assert_problem(answer, 403, "forbidden")


async def test_the_form_comes_before_what_is_there(studio: Studio) -> None:
    path = f"/v1/bookings/{uuid4()}"
    too_large = await studio.client.patch(path, content=TOO_LARGE, headers=JSON)
    assert_problem(too_large, 413, "payload-too-large")
    assert too_large.headers["connection"] == "close"
    untyped = await studio.client.patch(path, content=b"{}", headers={"Content-Type": ""})
    assert_problem(untyped, 415, "unsupported-media-type")
    malformed = await studio.client.patch(path, content=b"{", headers=JSON)
    assert_problem(malformed, 400, "malformed-request")
    bodiless = await studio.client.patch(path)
    assert_problem(bodiless, 400, "malformed-request")
    invalid = await studio.patch(path, {})
    assert_problem(invalid, 422, "validation-failed")
    absent = await studio.patch(path, {"title": "x"}, If_Match='"7"', Idempotency_Key="k")
    assert_problem(absent, 404, "not-found")


async def test_the_receipt_comes_before_version_and_state(studio: Studio) -> None:
    booking = await studio.booking(await studio.resource(), status="held")
    confirm = f"/v1/bookings/{booking['id']}/confirm"
    first = await studio.post(confirm, Idempotency_Key="c", If_Match='"1"')
    assert first.status_code == 200
    again = await studio.post(confirm, Idempotency_Key="c", If_Match='"1"')
    assert again.status_code == 200
    assert again.headers["idempotent-replayed"] == "true"
    assert again.content == first.content


async def test_the_version_comes_before_the_state(studio: Studio) -> None:
    booking = await studio.booking(await studio.resource())
    confirm = f"/v1/bookings/{booking['id']}/confirm"
    stale = assert_problem(await studio.post(confirm, If_Match='"7"'), 412, "version-mismatch")
    assert stale["current_version"] == 1
    weak = await studio.post(confirm, If_Match='W/"1"')
    assert_problem(weak, 412, "version-mismatch")
    state = assert_problem(
        await studio.post(confirm, If_Match='"1", "7"'), 409, "invalid-transition"
    )
    assert state["booking_status"] == "confirmed"


async def test_a_body_that_declares_no_length_is_bounded_too(studio: Studio) -> None:
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while read < 10_000_000:
            read += 10_000
            yield b" " * 10_000

    answer = await studio.client.post("/v1/bookings", content=endless(), headers=JSON)
    assert_problem(answer, 413, "payload-too-large")
    assert read <= 80_000


async def test_commands_may_have_a_megabyte(studio: Studio) -> None:
    padding = b" " * 1_048_000
    fits = await studio.client.post("/v1/commands", content=padding + b"{}", headers=JSON)
    assert_problem(fits, 422, "validation-failed")
    does_not = await studio.client.post("/v1/commands", content=padding + padding, headers=JSON)
    assert_problem(does_not, 413, "payload-too-large")


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 201),
        ("application/json; charset=utf-8", 201),
        ('Application/JSON;charset="UTF-8"', 201),
        ("application/json; charset=latin-1", 415),
        ("application/problem+json", 415),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("*/*", 415),
    ],
)
async def test_a_body_is_declared_as_json_in_utf_8(
    studio: Studio, content_type: str, status: int
) -> None:
    answer = await studio.client.post(
        "/v1/resources",
        content=b'{"name": "A", "kind": "stage", "timezone": "UTC"}',
        headers={"Content-Type": content_type},
    )
    assert answer.status_code == status
    if status == 415:
        assert_problem(answer, 415, "unsupported-media-type")
        assert answer.headers["accept"] == "application/json"


async def test_a_compressed_body_is_refused(studio: Studio) -> None:
    answer = await studio.client.post(
        "/v1/resources", content=b"\x1f\x8b", headers={**JSON, "Content-Encoding": "gzip"}
    )
    assert_problem(answer, 415, "unsupported-media-type")


async def test_an_unknown_address_is_not_found(studio: Studio) -> None:
    for path in ("/", "/v1", "/v1/bookings/", "/v2/bookings", f"/v1/bookings/{uuid4()}/explode"):
        assert_problem(await studio.get(path), 404, "not-found")


async def test_another_method_is_told_which_ones_there_are(studio: Studio) -> None:
    allowed = {
        "/v1/resources": "GET, HEAD, POST",
        f"/v1/resources/{uuid4()}": "GET, HEAD, PATCH",
        f"/v1/bookings/{uuid4()}/confirm": "POST",
        "/livez": "GET, HEAD",
    }
    for path, methods in allowed.items():
        answer = await studio.client.delete(path)
        assert_problem(answer, 405, "method-not-allowed")
        assert answer.headers["allow"] == methods


async def test_head_answers_as_get_without_the_body(studio: Studio) -> None:
    stage = await studio.resource()
    full = await studio.get(f"/v1/resources/{stage}")
    head = await studio.client.head(f"/v1/resources/{stage}")
    assert head.status_code == 200
    assert head.content == b""
    for name in ("etag", "event-position", "content-length", "content-type"):
        assert head.headers[name] == full.headers[name]


async def test_ids_of_the_request_come_back(studio: Studio) -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    given = await studio.get("/v1/resources", X_Request_Id="my-id:1", traceparent=trace)
    assert given.headers["x-request-id"] == "my-id:1"
    assert given.headers["traceparent"] == trace
    refused = await studio.get(f"/v1/bookings/{uuid4()}", X_Request_Id="my-id:2")
    assert assert_problem(refused, 404, "not-found")["request_id"] == "my-id:2"


@pytest.mark.parametrize("request_id", ["", "x" * 129, "with space", "caf\xe9"])
async def test_a_request_id_that_cannot_be_kept_is_replaced(
    studio: Studio, request_id: str
) -> None:
    answer = await studio.client.get(
        "/livez", headers=[(b"x-request-id", request_id.encode("latin-1"))]
    )
    assert answer.headers["x-request-id"] not in ("", request_id)


@pytest.mark.parametrize(
    "traceparent",
    [
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "garbage",
    ],
)
async def test_a_trace_context_that_is_none_is_left_out(studio: Studio, traceparent: str) -> None:
    answer = await studio.get("/livez", traceparent=traceparent)
    assert "traceparent" not in answer.headers


async def test_a_fault_of_ours_says_nothing_of_the_inside(
    studio: Studio, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise RuntimeError("select secret from vault")

    monkeypatch.setattr(type(services.trail), "events", fail)
    answer = await studio.get("/v1/events", X_Request_Id="faulty")
    problem = assert_problem(answer, 500, "internal-error")
    assert problem["request_id"] == "faulty"
    assert "secret" not in answer.text


async def test_an_address_of_any_characters_is_answered_as_a_uri_reference(studio: Studio) -> None:
    answer = await studio.get("/v1/%C3%BC%0Aber/%22")
    assert answer.json()["instance"] == "/v1/%C3%BC%0Aber/%22"


async def test_a_client_that_leaves_while_sending_its_body_is_no_fault(
    studio: Studio, log: list[EventDict]
) -> None:
    sent: list[Message] = []
    parts: list[Message] = [
        {"type": "http.request", "body": b"{", "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> Message:
        return parts.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/bookings",
        "query_string": b"",
        "headers": [(b"authorization", f"Bearer {studio.keys['admin']}".encode())],
    }
    await studio.app(scope, receive, send)
    assert sent == []
    assert [(line["event"], line["status"]) for line in log] == [("api.request", 499)]
