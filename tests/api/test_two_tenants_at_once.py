"""Two tenants ask at once, over one pool of two connections: no answer has a byte of the other's.

Whatever a tenant writes carries its mark, and whatever is made for it gets an id that the other
side never sees, unless it guesses it: some of the requests name the other's things on purpose.
"""

import asyncio
import secrets
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from uuid import UUID

from fastapi import FastAPI
from httpx import Response
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import JsonValue

from api.app import build_app
from api.bootstrap import running_services
from api.services import provide
from infra.database import Database
from infra.master_key import MasterKey
from tests.api.conftest import DAY, Json, Studio, make_studio, new_booking

MARKS = ("Cassiopeia", "Andromeda")
WINDOW = f"from={DAY}T00:00:00Z&to={DAY}T23:59:59Z"
NAMES = count(1)


@dataclass(frozen=True)
class Wish:
    """What one side asks.

    Attributes:
        side: which of the two asks.
        what: a kind of request.
        which: of the things there are, counted on and on.
        of_other: whether it names the other side's things.
        key: an idempotency key; both sides use the same few.
    """

    side: int
    what: str
    which: int
    of_other: bool
    key: str | None


@dataclass
class Side:
    """A tenant, and the ids of all that it has."""

    studio: Studio
    mark: str
    resources: list[str] = field(default_factory=list)
    bookings: list[str] = field(default_factory=list)

    @property
    def secrets(self) -> set[str]:
        return {self.mark, *self.resources, *self.bookings}

    def booking(self, resource: str, hour: int) -> Json:
        customer: Json = {"id": f"{self.mark}-{hour % 2}", "name": self.mark, "email": self.mark}
        return new_booking(
            [resource],
            start_time=f"{DAY}T{hour % 23:02}:00:00Z",
            end_time=f"{DAY}T{hour % 23 + 1:02}:00:00Z",
            title=self.mark,
            notes=self.mark,
            reference=self.mark,
            attributes={"mark": self.mark},
            customer=customer,
            status="held" if hour % 3 else "confirmed",
        )


def request_for(wish: Wish, own: Side, named: Side) -> tuple[str, str, JsonValue]:
    """Method, path and body; `named` is whose things they are about."""
    resource = named.resources[wish.which % len(named.resources)]
    booking = named.bookings[wish.which % len(named.bookings)]
    book = own.booking(resource, wish.which)
    requests: dict[str, tuple[str, str, JsonValue]] = {
        "register": ("POST", "/v1/resources", {"name": own.mark, "kind": "k", "timezone": "UTC"}),
        "book": ("POST", "/v1/bookings", book),
        "read": ("GET", f"/v1/bookings/{booking}", None),
        "history": ("GET", f"/v1/bookings/{booking}/history", None),
        "confirm": ("POST", f"/v1/bookings/{booking}/confirm", {"reason": own.mark}),
        "release": ("POST", f"/v1/bookings/{booking}/release", None),
        "amend": ("PATCH", f"/v1/bookings/{booking}", {"notes": f"{own.mark} {wish.which}"}),
        "move": ("POST", f"/v1/bookings/{booking}/reschedule", {"resource_ids": [resource]}),
        "resources": ("GET", "/v1/resources", None),
        "calendar": ("GET", f"/v1/resources/{resource}/calendar?{WINDOW}", None),
        "free": ("GET", f"/v1/availability?resource_id={resource}&{WINDOW}", None),
        "log": ("GET", "/v1/events?limit=50", None),
        "usage": ("GET", "/v1/usage", None),
        "many": (
            "POST",
            "/v1/commands",
            {
                "atomic": wish.which % 2 == 0,
                "commands": [
                    {"type": "book", **book},
                    {"type": "amend", "booking_id": booking, "title": own.mark},
                ],
            },
        ),
    }
    return requests[wish.what]


WISHES = st.builds(
    Wish,
    side=st.integers(0, 1),
    what=st.sampled_from(
        [
            "register",
            "book",
            "read",
            "history",
            "confirm",
            "release",
            "amend",
            "move",
            "resources",
            "calendar",
            "free",
            "log",
            "usage",
            "many",
        ]
    ),
    which=st.integers(0, 60),
    of_other=st.booleans(),
    key=st.none() | st.sampled_from("ab"),
)


async def ask(wish: Wish, sides: Sequence[Side]) -> None:
    own, other = sides[wish.side], sides[1 - wish.side]
    method, path, body = request_for(wish, own, other if wish.of_other else own)
    headers = {} if wish.key is None or method == "GET" else {"Idempotency-Key": wish.key}
    answer = await own.studio.client.request(method, path, json=body, headers=headers)
    assert answer.status_code < 500, answer.text
    if answer.status_code == 201:
        (own.bookings if wish.what == "book" else own.resources).append(answer.json()["id"])
    for result in answer.json().get("results", []) if answer.is_success else []:
        if result["status"] == 201:
            own.bookings.append(result["body"]["id"])
    check(answer, other, f"{path} {body}")


def check(answer: Response, other: Side, asked: str) -> None:
    """Nothing of the other's is there, but what the request itself has named."""
    said = f"{answer.text} {list(answer.headers.items())}"
    leaked = [secret for secret in other.secrets if secret in said and secret not in asked]
    assert not leaked, (asked, leaked, said)


async def begin(database: Database, app: FastAPI) -> list[Side]:
    sides = []
    for mark in MARKS:
        side = Side(make_studio(database, app, f"tenant-{next(NAMES)}"), mark)
        side.resources.append(await side.studio.resource(mark))
        booked = await side.studio.post("/v1/bookings", side.booking(side.resources[0], 0))
        side.bookings.append(str(UUID(booked.json()["id"])))
        sides.append(side)
    return sides


@contextmanager
def serving_app(database: Database, runner: asyncio.Runner) -> Iterator[FastAPI]:
    services = AsyncExitStack()
    key = MasterKey(secrets.token_bytes(32))
    app = build_app()
    provide(
        app,
        runner.run(
            services.enter_async_context(running_services(database.runtime_dsn, key, connections=2))
        ),
    )
    yield app
    runner.run(services.aclose())


def test_no_answer_has_a_byte_of_the_others(database: Database) -> None:
    with asyncio.Runner() as runner, serving_app(database, runner) as app:

        @settings(max_examples=12, deadline=None)
        @given(st.lists(st.lists(WISHES, min_size=2, max_size=12), min_size=2, max_size=5))
        def game(waves: list[list[Wish]]) -> None:
            async def play() -> None:
                sides = await begin(database, app)
                for wave in waves:
                    await asyncio.gather(*(ask(wish, sides) for wish in wave))

            runner.run(play())

        game()
