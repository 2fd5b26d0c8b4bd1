"""Whatever is sent, what comes back is declared: never a fault, never an undeclared status."""

import asyncio
import json
import random
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from httpx import Response
from pydantic import JsonValue

from api.problems.catalogue import CATALOGUE
from infra.database import Database
from infra.projecting import ProjectionRunner
from tests.api.conftest import DAY, Json, Studio, new_booking

ROUNDS = 600
WINDOW = {"from": f"{DAY}T00:00:00Z", "to": f"{DAY}T23:00:00+01:00"}
ODD: list[JsonValue] = [
    None, True, 0, -1, 2**63, 1e308, "", " ", "x" * 5000, "\x00", "\ud800", "é\u202e", "null", [],
    [[]], {}, {"": {}}, f"{DAY}T09:00:00", "2200-12-31T23:59:59.999999Z", "1970-01-01T00:00:00Z",
    "P1D", "*", '"1"', "00000000-0000-0000-0000-000000000000",
]  # fmt: skip


class Sender:
    """Draws requests that are nearly right."""

    def __init__(self, studio: Studio, seed: int, stage: str, booking: str, link: Json) -> None:
        self.studio = studio
        self.draw = random.Random(seed)  # noqa: S311 - to be repeatable, not secret
        self.ids = {"booking_id": booking, "resource_id": stage, "name": "not-found"}
        self.ids["customer_key_id"] = str(uuid4())
        self.ids |= {
            "token": str(link["data_path"]).rpartition("/")[2],
            "key": studio.keys["feed"],
        }
        self.bodies = dict(self._bodies(stage, booking))

    def _bodies(self, stage: str, booking: str) -> Iterator[tuple[str, Json]]:
        book = new_booking([stage], attributes={"a": [1]}, customer={"id": "c", "name": "n"})
        move: Json = {"resource_ids": [stage], "end_time": f"{DAY}T11:00:00Z"}
        commands: list[JsonValue] = [
            {"type": "book", "idempotency_key": "k", **book},
            {"type": "reschedule", "booking_id": booking, **move},
            {"type": "confirm", "booking_id": booking, "if_match": 1},
        ]
        resource: Json = {"name": "n", "kind": "k", "timezone": "UTC", "attributes": {}}
        yield "book", book
        yield "amendBooking", {"title": "t", "notes": "n", "customer": {"id": "c"}}
        yield "rescheduleBooking", move
        yield "runCommands", {"commands": commands, "atomic": False}
        yield "registerResource", resource
        yield "changeResource", resource

    def broken(self, value: JsonValue) -> JsonValue:
        """The same value with something odd somewhere, most of the time."""
        odds = self.draw.random()
        if odds < 0.1:
            return self.draw.choice(ODD)
        if isinstance(value, dict) and value:
            changed = dict(value)
            name = self.draw.choice(list(changed))
            if odds < 0.2:
                del changed[name]
            elif odds < 0.25:
                changed["odd"] = self.draw.choice(ODD)
            elif odds < 0.9:
                changed[name] = self.broken(changed[name])
            return changed
        if isinstance(value, list) and value and odds < 0.9:
            changed_list = list(value)
            place = self.draw.randrange(len(value))
            changed_list[place] = self.broken(changed_list[place])
            return changed_list
        return self.draw.choice(ODD) if odds < 0.6 else value

    async def send(self, path: str, method: str, operation: dict[str, Any]) -> Response:
        query: dict[str, str] = {}
        headers = {"Content-Type": "application/json"}
        ids = dict(self.ids)
        for parameter in operation["parameters"]:
            name, where = parameter["name"], parameter["in"]
            text = str(WINDOW.get(name) or self.ids.get(name) or parameter["example"])
            if self.draw.random() < 0.2:
                text = json.dumps(self.draw.choice(ODD)).strip('"')
            if where == "query" and self.draw.random() < 0.7:
                query[name] = text[:3000]
            elif where == "header" and self.draw.random() < 0.3:
                headers[name] = text[:300]
            elif where == "path" and self.draw.random() < 0.1:
                ids[name] = self.draw.choice(["odd", "%00", str(uuid4())])
        body = self.broken(self.bodies.get(operation["operationId"], {"reason": "r"}))
        content = json.dumps(body).encode() if "requestBody" in operation else None
        if content and self.draw.random() < 0.05:
            content = content[: self.draw.randrange(len(content))]
        return await self.studio.client.request(
            method, path.format(**ids), params=query, headers=headers, content=content
        )


@pytest.mark.parametrize("seed", [1, 2])
async def test_nothing_that_is_sent_makes_a_fault(
    studio: Studio, database: Database, projector: ProjectionRunner, seed: int
) -> None:
    projecting = asyncio.create_task(projector.run(database.runtime_dsn))
    stage = await studio.resource()
    booking = str((await studio.booking(stage, status="held"))["id"])
    link = (await studio.post(f"/v1/resources/{stage}/public-link")).json()
    sender = Sender(studio, seed, stage, booking, link)
    paths = studio.app.openapi()["paths"]
    operations = [
        (path, method, operation)
        for path, methods in paths.items()
        for method, operation in methods.items()
    ]
    seen: set[int] = set()
    for _ in range(ROUNDS):
        path, method, operation = sender.draw.choice(operations)
        answer = await sender.send(path, method, operation)
        said = f"{method} {answer.request.url} {answer.request.content!r}: {answer.text}"
        assert answer.status_code < 500, said
        assert str(answer.status_code) in operation["responses"], said
        if answer.is_error:
            assert answer.json()["type"].removeprefix("/problems/") in CATALOGUE, said
        seen.add(answer.status_code)
    assert seen >= {200, 201, 400, 404, 409, 412, 422}
    projecting.cancel()
    await asyncio.gather(projecting, return_exceptions=True)
