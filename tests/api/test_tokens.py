"""Session tokens through the whole app: who comes in, and what all others are told."""

import secrets
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace

import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient, Response

from api.app import build_app
from api.bootstrap import running_services
from api.issuers import issuers_of
from api.services import Services, provide
from infra.access import BearerAuthenticator
from infra.access.tokens import clerk, token_authenticators
from infra.database import Database
from infra.master_key import MasterKey
from infra.people import People, running_directory
from infra.settings import Settings
from tests.access.tokens.conftest import NOW, ORIGIN, Door
from tests.access.tokens.local_issuer import FIRST, SECOND, LocalIssuer, serving_issuer
from tests.access.tokens.test_bad_tokens import CORPUS
from tests.api.conftest import assert_problem

STRIPPED = {"a space", "a line break", "nothing"}  # a header is read without spaces around it


@dataclass
class Front:
    """The app, and an issuer whose tokens it takes."""

    issuer: LocalIssuer
    services: Services
    app: FastAPI

    async def get(self, token: str, path: str = "/v1/resources") -> Response:
        return await self.asked("GET", token, path)

    async def asked(self, method: str, token: str, path: str, body: object = None) -> Response:
        shown = b"Bearer " + token.encode("utf-8", "surrogateescape")
        transport = ASGITransport(self.app)
        async with AsyncClient(transport=transport, base_url="http://booking.test") as client:
            headers = {b"Authorization": shown, b"X-Request-Id": b"the-same"}
            return await client.request(method, path, headers=headers, json=body)

    def token(self, **changed: object) -> str:
        now = int(time.time())
        door = Door(self.issuer, AsyncExitStack())
        return FIRST.token(door.claims(iat=now, nbf=now - 10, exp=now + 60) | changed)


@pytest.fixture
async def front(database: Database) -> AsyncIterator[Front]:
    async with serving_issuer() as issuer:
        settings = Settings.model_validate(
            {"CLERK_ISSUER": issuer.address, "CLERK_AUTHORIZED_PARTIES": ORIGIN}
        )
        async with running_services(
            database.runtime_dsn,
            MasterKey(secrets.token_bytes(32)),
            connections=6,
            issuers=issuers_of(settings),
        ) as services:
            app = build_app()
            provide(app, services)
            yield Front(issuer, services, app)


async def test_who_signs_in_works_for_the_studio_of_their_organisation(front: Front) -> None:
    admin = front.token(
        o={"id": "org_1", "rol": "admin", "slg": "nova"}, act={"sub": "user_support"}
    )
    body = {"name": "Stage A", "kind": "stage", "timezone": "Europe/Vienna"}
    made = await front.asked("POST", admin, "/v1/resources", body)
    assert made.status_code == 201, made.text

    colleague = front.token(sub="user_2")
    listed = await front.get(colleague)
    assert [item["id"] for item in listed.json()["items"]] == [made.json()["id"]]
    assert_problem(await front.asked("POST", colleague, "/v1/resources", body), 403, "forbidden")
    elsewhere = front.token(o={"id": "org_2", "rol": "admin"})
    assert (await front.get(elsewhere)).json()["items"] == []

    (event,) = (await front.get(colleague, "/v1/events")).json()["items"]
    assert event["actor"].startswith("user:"), event
    assert event["impersonator"] == "user_support"


async def test_every_bad_token_is_answered_alike(front: Front, database: Database) -> None:
    async with AsyncExitStack() as stack:
        directory = await stack.enter_async_context(running_directory(database.runtime_dsn))
        bearers = token_authenticators(
            [clerk(front.issuer.address, [ORIGIN])],
            People(directory),
            circuits=front.services.circuits,
            wall_clock=lambda: NOW,
        )
        found = await stack.enter_async_context(bearers)
        keys = front.services.authenticator
        provide(front.app, replace(front.services, authenticator=BearerAuthenticator(keys, found)))
        door = Door(front.issuer, stack)
        assert (await front.get(FIRST.token(door.claims()))).status_code == 200
        unknown = await front.get("bk_" + "x" * 43)
        problem = assert_problem(unknown, 401, "unauthenticated")
        assert unknown.headers["www-authenticate"] == (
            'Bearer realm="booking", error="invalid_token"'
        )
        assert set(problem) == {"type", "title", "status", "detail", "instance", "request_id"}

        for tokens in CORPUS.values():
            for name, make in tokens.items():
                if name not in STRIPPED:
                    answer = await front.get(make(door))
                    assert answer.status_code == 401, name
                    assert answer.content == unknown.content, name
                    assert answer.headers == unknown.headers, name


async def test_who_is_known_but_may_not_come_in_is_told_why(front: Front) -> None:
    nowhere = assert_problem(await front.get(front.token(o={})), 403, "forbidden")
    assert "organisation" in str(nowhere["detail"])
    stranger = await front.get(front.token(o={"id": "org_1", "rol": "owner"}))
    assert "role" in str(assert_problem(stranger, 403, "forbidden")["detail"])


async def test_while_the_issuer_is_down_whom_it_cannot_tell_of_may_come_again(
    front: Front,
) -> None:
    assert (await front.get(front.token())).status_code == 200
    await front.issuer.go_down()

    assert (await front.get(front.token(sub="user_3"))).status_code == 200
    door = Door(front.issuer, AsyncExitStack())
    now = int(time.time())
    rotated = SECOND.token(door.claims(iat=now, nbf=now, exp=now + 60))
    answer = await front.get(rotated)
    assert_problem(answer, 503, "issuer-unavailable")
    assert answer.headers["retry-after"] == "5"
    assert (await front.get("bk_" + "x" * 43)).status_code == 401
