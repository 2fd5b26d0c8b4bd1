"""What is another tenant's is answered, byte for byte, like what nobody has: on every route.

The OpenAPI document says which routes there are, and its examples tell one story with the same few
ids throughout; here these become a tenant's real ones, or ids that nobody has.
"""

import asyncio
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import psycopg
import pytest
from fastapi import FastAPI
from httpx import Response

from api.app import build_app
from api.schemas import examples
from infra.database import Database
from infra.identity import new_id
from infra.projecting import ProjectionRunner
from tests.api.conftest import Json, Studio, new_booking

pytestmark = pytest.mark.on_one_postgres

PLACEHOLDERS = {
    "stage": examples.STAGE_ID,
    "camera": examples.CAMERA_ID,
    "booking": examples.BOOKING_ID,
    "other booking": examples.OTHER_BOOKING_ID,
    "customer key": examples.CUSTOMER_KEY_ID,
    "webhook endpoint": examples.WEBHOOK_ENDPOINT_ID,
}
IN_PATHS = {
    "{endpoint_id}": examples.WEBHOOK_ENDPOINT_ID,
    "{position}": "2",
    "{booking_id}": examples.BOOKING_ID,
    "{resource_id}": examples.STAGE_ID,
    "{customer_key_id}": examples.CUSTOMER_KEY_ID,
}
IN_QUERIES: Mapping[str, list[str]] = {
    "resource_id": [examples.STAGE_ID, examples.CAMERA_ID],
    "from": ["2036-03-01T00:00:00Z"],
    "to": ["2036-04-01T00:00:00Z"],
    "seconds": ["0"],  # of listening
}
WHEN_IT_WAS_DONE = {"/v1/audit-trail", "/v1/refusals"}
"""Whose from and to are not of the story, but of the moments in which a test tells it."""

NAMES_NOTHING = {
    "POST /v1/resources",
    "GET /v1/resources",
    "GET /v1/checkpoints",
    "GET /v1/events",
    "GET /v1/calendar-feeds/{key}.ics",
    "GET /v1/usage",
    "POST /v1/webhook-endpoints",
    "GET /v1/webhook-endpoints",
    "GET /metrics",
}
"""Operations that take nobody's id; whose rows they answer is for row-level security to say."""

Ids = Mapping[str, str]


@dataclass(frozen=True)
class Operation:
    """A request as the document describes it, about the things of its examples."""

    method: str
    path: str
    query: str
    body: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def names_something(self) -> bool:
        text = f"{self.path}?{self.query} {self.body}"
        return any(placeholder in text for placeholder in PLACEHOLDERS.values())

    async def ask(self, studio: Studio, ids: Ids, headers: Mapping[str, str]) -> Response:
        path, query, body = (
            told(text, PLACEHOLDERS, ids) for text in (self.path, self.query, self.body)
        )
        if body:
            headers = {"Content-Type": "application/json", **headers}
        url = f"{path}?{query}" if query else path
        return await studio.client.request(self.method, url, content=body, headers=headers)


def told(text: str, of: Ids, instead: Ids) -> str:
    for name, value in of.items():
        text = text.replace(value, instead[name])
    return text


def operations() -> Iterator[Operation]:
    for path, methods in build_app().openapi()["paths"].items():
        for method, described in methods.items():
            if "x-permission" not in described:
                continue
            parameters = described.get("parameters", [])
            query = {
                parameter["name"]: _values(parameter)
                for parameter in parameters
                if parameter["in"] == "query" and parameter["name"] in IN_QUERIES
                if not (path in WHEN_IT_WAS_DONE and parameter["name"] in {"from", "to"})
            }
            content = described.get("requestBody", {}).get("content", {})
            example: Json | None = content.get("application/json", {}).get("example")
            real_path = path
            for variable, placeholder in IN_PATHS.items():
                real_path = real_path.replace(variable, placeholder)
            yield Operation(
                method.upper(),
                real_path,
                urlencode(query, doseq=True),
                # The story plays in 2026; a hold must not have expired.
                "" if example is None else json.dumps(example).replace('"2026-', '"2036-'),
            )


def _values(parameter: Mapping[str, Any]) -> list[str]:
    values, schema = IN_QUERIES[parameter["name"]], parameter["schema"]
    if schema.get("format") == "date":
        return [value[:10] for value in values]
    return values if schema.get("type") == "array" else values[:1]


OPERATIONS = list(operations())
ASKING = [operation for operation in OPERATIONS if operation.names_something]


def test_every_operation_that_names_something_is_asked() -> None:
    others = {str(operation) for operation in OPERATIONS} - {str(asked) for asked in ASKING}
    assert others == NAMES_NOTHING
    assert len(ASKING) >= 13


async def furnished(studio: Studio) -> Ids:
    stage, camera = await studio.resource("Stage"), await studio.resource("Camera")
    period = {"start_time": "2036-03-05T09:00:00Z", "end_time": "2036-03-05T10:00:00Z"}
    one = await studio.booking(stage, status="held", customer={"id": "c-1"}, **period)
    other = await studio.booking(camera, **period)
    await studio.post(f"/v1/resources/{stage}/public-link")
    [begun] = (await studio.get(f"/v1/bookings/{one['id']}/history")).json()["items"]
    return {
        "stage": stage,
        "camera": camera,
        "booking": str(one["id"]),
        "other booking": str(other["id"]),
        "customer key": begun["data"]["customer"]["key_id"],
        "webhook endpoint": await webhook_endpoint(studio),
    }


async def webhook_endpoint(studio: Studio) -> str:
    """Make an endpoint that has come to position 4, and messages to it; the only one."""
    for before in (await studio.get("/v1/webhook-endpoints")).json()["items"]:
        await studio.client.delete(f"/v1/webhook-endpoints/{before['id']}")
    asked = {"url": "https://hooks.example", "after": 4}
    endpoint = (await studio.post("/v1/webhook-endpoints", asked)).json()["id"]
    replayed = await studio.post(
        f"/v1/webhook-endpoints/{endpoint}/replay", {"after": 0, "until": 4}
    )
    assert replayed.json() == {"messages": 4}
    return str(endpoint)


async def refused(studio: Studio, ids: Ids) -> None:
    """Have a claim of the stage refused, and wait until that is kept."""
    period = {"start_time": "2036-03-05T09:00:00Z", "end_time": "2036-03-05T10:00:00Z"}
    answer = await studio.post("/v1/bookings", new_booking([ids["stage"]], **period))
    assert answer.status_code == 409
    for _ in range(80):
        if (await studio.get(f"/v1/refusals?resource_id={ids['stage']}")).json()["items"]:
            return
        await asyncio.sleep(0.1)


def nobodys() -> Ids:
    return {name: str(new_id()) for name in PLACEHOLDERS}  # in order, as those that were made are


def everything(database: Database) -> list[tuple[str, ...]]:
    """Whatever the two tenants' logs and claims hold."""
    with psycopg.connect(database.owner_dsn) as owner:
        return [
            *owner.execute("select e::text from booking.event e order by tenant_id, seq"),
            *owner.execute("select r::text from booking.reservation r order by 1"),
        ]


def bytes_of(answer: Response, ids: Ids) -> tuple[int, dict[str, str], str]:
    """The answer, but for what is said of the request: the ids that it named, and its own."""
    headers = {name: told(value, ids, PLACEHOLDERS) for name, value in answer.headers.items()}
    request_id = headers.pop("x-request-id")
    headers.pop("ratelimit", None)
    return (
        answer.status_code,
        headers,
        told(answer.text.replace(request_id, "the request"), ids, PLACEHOLDERS),
    )


@pytest.mark.parametrize("operation", ASKING, ids=str)
@pytest.mark.parametrize(
    "headers",
    [{}, {"If-Match": '"1"'}, {"Idempotency-Key": "k", "If-Match": "*"}],
    ids=["plain", "if-match", "keyed"],
)
async def test_anothers_is_answered_like_what_nobody_has(
    studio: Studio,
    other_studio: Studio,
    database: Database,
    projector: ProjectionRunner,
    operation: Operation,
    headers: dict[str, str],
) -> None:
    await studio.resource()
    theirs, absent = await furnished(other_studio), nobodys()
    await projector.catch_up()
    before = everything(database)

    answers = [bytes_of(await operation.ask(studio, ids, headers), ids) for ids in (theirs, absent)]

    assert answers[0] == answers[1]
    assert answers[0][0] in (200, 404, 422)  # 200: /v1/commands answers for each of its commands
    assert everything(database) == before


async def test_the_same_requests_find_what_is_ones_own(
    studio: Studio, other_studio: Studio, projector: ProjectionRunner
) -> None:
    """Else the test above would compare one mistake with another."""
    for operation in ASKING:
        own, theirs = await furnished(studio), await furnished(other_studio)
        await projector.catch_up()
        if operation.path == "/v1/refusals":
            await refused(studio, own)
        mine = bytes_of(await operation.ask(studio, own, {}), own)
        other = bytes_of(await operation.ask(studio, theirs, {}), theirs)
        assert mine[0] in (200, 201, 204, 409), (operation, mine)
        assert mine != other, operation


async def test_anothers_idempotency_key_is_a_new_key(studio: Studio, other_studio: Studio) -> None:
    answers = []
    for each in (other_studio, studio):
        stage = await each.resource()
        booked = await each.post("/v1/bookings", new_booking([stage]), Idempotency_Key="shared")
        assert booked.status_code == 201
        assert "idempotent-replayed" not in booked.headers
        answers.append(booked.json()["id"])
    assert answers[0] != answers[1]


async def test_anothers_cursor_is_answered_like_one_that_nobody_made(
    studio: Studio, other_studio: Studio
) -> None:
    for name in ("A", "B"):
        await studio.resource(name)
        await other_studio.resource(name)
    page = (await other_studio.get("/v1/resources?limit=1")).json()
    made_up = page["next_cursor"][:-4] + "AAAA"
    answers = [
        bytes_of(await studio.get(f"/v1/resources?limit=1&cursor={cursor}"), {})
        for cursor in (page["next_cursor"], made_up)
    ]
    assert answers[0] == answers[1]
    assert answers[0][0] == 422


def test_the_examples_are_about_the_same_things(app: FastAPI) -> None:
    text = json.dumps(app.openapi())
    for placeholder in PLACEHOLDERS.values():
        assert placeholder in text
