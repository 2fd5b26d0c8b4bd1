"""Whom a request speaks for: how it is found out, and where it is told."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, replace
from uuid import UUID

import psycopg
import pytest
from fastapi import FastAPI
from structlog.typing import EventDict

from api.schemas.booking_bodies import HistoryBody
from api.schemas.events import EventsBody
from api.services import Services, provide
from domain.ids import TenantId
from infra.access import NotAdmitted, Principal, create_tenant
from infra.database import Database
from infra.errors import Overloaded
from tests.api.conftest import Studio, assert_problem, new_booking


@dataclass
class SignedIn:
    """An authenticator that knows a few people by what they send."""

    people: Mapping[str, Principal | Exception]

    async def authenticate(self, credentials: str) -> Principal | None:
        found = self.people.get(credentials)
        if isinstance(found, Exception):
            raise found
        return found


@pytest.fixture
def nova(database: Database) -> TenantId:
    with psycopg.connect(database.owner_dsn) as conn:
        return create_tenant(conn, "nova", "Nova")


def admitting(
    app: FastAPI, services: Services, people: Mapping[str, Principal | Exception]
) -> Studio:
    provide(app, replace(services, authenticator=SignedIn(people)))
    return Studio(app, {"admin": "ada"})


async def test_whoever_acts_in_anothers_place_is_told_in_log_history_and_every_line(
    database: Database, app: FastAPI, services: Services, nova: TenantId, log: list[EventDict]
) -> None:
    ada = Principal(nova, "admin", f"user:{UUID(int=1)}")
    support = replace(ada, impersonator="user_support")
    studio = admitting(app, services, {"ada": ada, "support": support})
    stage = await studio.resource()
    booking = await studio.booking(stage, status="held")
    log.clear()

    confirm = f"/v1/bookings/{booking['id']}/confirm"
    assert (await studio.with_key("support").post(confirm)).status_code == 200

    [line] = log
    assert (line["actor"], line["impersonator"]) == (ada.actor, "user_support")
    history = await studio.get(f"/v1/bookings/{booking['id']}/history")
    events = await studio.get("/v1/events?after=1")
    HistoryBody.model_validate(history.json())
    EventsBody.model_validate(events.json())
    for answer in (history, events):
        own, anothers = answer.json()["items"]
        assert own["actor"] == anothers["actor"] == ada.actor
        assert "impersonator" not in own
        assert anothers["impersonator"] == "user_support"
    assert "impersonator" not in log[-1]
    with psycopg.connect(database.owner_dsn) as conn:
        stored = [
            json.loads(metadata)
            for (metadata,) in conn.execute("SELECT metadata FROM booking.event ORDER BY seq")
        ]
    assert [entry["actor"] for entry in stored] == [ada.actor] * 3
    assert [entry.get("impersonator") for entry in stored] == [None, None, "user_support"]
    assert [("impersonator" in entry) for entry in stored] == [False, False, True]
    assert all(entry["request_id"] for entry in stored)


async def test_a_group_of_commands_tells_it_too(
    app: FastAPI, services: Services, nova: TenantId
) -> None:
    support = Principal(nova, "admin", f"user:{UUID(int=1)}", "user_support")
    studio = admitting(app, services, {"ada": support})
    for atomic in (True, False):
        command = {"type": "book", **new_booking([await studio.resource()])}
        asked = {"commands": [command], "atomic": atomic}
        assert (await studio.post("/v1/commands", asked)).status_code == 200
    events = (await studio.get("/v1/events")).json()["items"]
    assert [event["type"] for event in events] == ["resource.registered", "booking.booked"] * 2
    assert {event.get("impersonator") for event in events} == {"user_support"}


async def test_one_who_is_known_but_may_not_come_in_is_told_why(
    app: FastAPI, services: Services
) -> None:
    reason = "No organisation is chosen. Choose one, and sign in again."
    studio = admitting(app, services, {"ada": NotAdmitted(reason)})
    for answer in (await studio.get("/v1/resources"), await studio.get("/v1/nowhere")):
        assert assert_problem(answer, 403, "forbidden")["detail"] == reason
    assert (await studio.get("/livez")).status_code == 200


async def test_where_it_cannot_be_found_out_just_now_that_is_said(
    app: FastAPI, services: Services
) -> None:
    studio = admitting(app, services, {"ada": Overloaded()})
    answer = await studio.get("/v1/resources")
    assert_problem(answer, 503, "overloaded")
    assert answer.headers["retry-after"]


async def test_a_key_is_told_by_its_id(studio: Studio, database: Database) -> None:
    await studio.resource()
    [event] = (await studio.get("/v1/events")).json()["items"]
    with psycopg.connect(database.owner_dsn) as conn:
        [(key_id,)] = conn.execute("SELECT key_id FROM booking.api_key WHERE role = 'admin'")
    assert event["actor"] == f"key:{key_id}"


async def test_a_token_of_an_unknown_issuer_is_told_like_an_unknown_key(studio: Studio) -> None:
    parts = ({"alg": "RS256"}, {"iss": "https://stranger.example"}, "signed")
    texts = [json.dumps(part).encode() for part in parts]
    token = ".".join(urlsafe_b64encode(text).decode().rstrip("=") for text in texts)
    answers = [
        assert_problem(await studio.with_key(shown).get("/v1/resources"), 401, "unauthenticated")
        for shown in (token, "bk_unknown")
    ]
    details = {str(answer["detail"]) for answer in answers}
    assert details == {"The API key or token is not known, has expired or was revoked."}


async def test_who_shows_two_keys_is_nobody(studio: Studio) -> None:
    both = [("Authorization", f"Bearer {studio.keys[role]}") for role in ("viewer", "admin")]
    client = studio.with_key(None)
    for shown in (both, both[::-1], [both[0], both[0]]):
        answer = await client.get("/v1/resources", headers=shown)
        assert_problem(answer, 401, "unauthenticated")
    assert (await client.get("/v1/resources", headers=both[:1])).status_code == 200
