"""Who may connect, and for how long: whoever may read, for as long as they may."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

import aiohttp
import httpx
import psycopg
import pytest
import pytest_asyncio
from pydantic_core import from_json
from structlog.testing import capture_logs

from api.call import unauthenticated
from api.issuers import issuers_of
from api.live.socket import Guest
from api.problems.problem import ProblemError
from infra.access import (
    BearerAuthenticator,
    Principal,
    issue_api_key,
    list_api_keys,
    revoke_api_key,
)
from infra.database import Database
from infra.errors import Overloaded
from infra.settings import Settings
from tests.access.tokens.conftest import ORIGIN, Door
from tests.access.tokens.local_issuer import FIRST, LocalIssuer, serving_issuer
from tests.live.client import Json, LiveClient, Refused, Transport, connected
from tests.live.raw import RawSession
from tests.live.serving import IN_THE_LOOP_OF_THE_MODULE, LiveStudio, Served, served

pytestmark = IN_THE_LOOP_OF_THE_MODULE


@pytest.fixture(scope="module", autouse=True)
def looked_at_often() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("api.live.sockets.CHECK_SECONDS", 0.05)
        patch.setattr("api.live.sockets.LINGER_SECONDS", 0.1)
        yield


async def _refused(serving: Served, token: object, transport: Transport = "websocket") -> Json:
    """What a client is told that may not come in; then it is hung up."""
    shown = f"40{json.dumps({'token': token})}"
    if transport == "polling":
        async with httpx.AsyncClient(base_url=serving.address) as http:
            session = await RawSession.begin(http)
            await session.send(shown)
            told = (await session.poll()).text
    else:
        async with (
            aiohttp.ClientSession() as raw,
            raw.ws_connect(f"{serving.address}/socket.io/?EIO=4&transport=websocket") as websocket,
        ):
            await websocket.receive()
            await websocket.send_str(shown)
            told = (await websocket.receive()).data
            assert (await websocket.receive(5)).type is aiohttp.WSMsgType.CLOSE
    assert told.startswith("44")
    refusal: Json = from_json(told[2:])
    problem: Json = refusal["data"]
    assert refusal["message"] == problem["detail"]
    assert problem["instance"] == "/socket.io/"
    assert problem["request_id"]
    return problem


@pytest.mark.parametrize("transport", ["websocket", "polling"])
async def test_whoever_shows_no_good_token_is_refused_with_a_problem(
    serving: Served, transport: Transport
) -> None:
    for token in ("bk_wrong", None, "x" * 9000, "\ud800"):
        problem = await _refused(serving, token, transport)
        assert (problem["type"], problem["status"]) == ("/problems/unauthenticated", 401)


async def test_a_key_in_the_address_of_a_feed_opens_nothing(
    serving: Served, planners: LiveStudio
) -> None:
    problem = await _refused(serving, planners.keys["feed"])
    assert (problem["type"], problem["status"]) == ("/problems/forbidden", 403)
    for role in ("admin", "booker", "viewer", "auditor"):
        async with connected(serving.address, planners.keys[role]) as client:
            assert (await client.ask("subscribe", {}))["ok"]


async def _ends(client: LiveClient) -> Json:
    await client.until(lambda: client.bodies("auth.expired"))
    async with asyncio.timeout(5):
        while client.io.eio.state != "disconnected":  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)
    assert client.io._reconnect_task is None  # it does not come back by itself
    assert client.connections == 1
    (told,) = client.bodies("auth.expired")
    problem: Json = told["problem"]
    return problem


@pytest.mark.parametrize("transport", ["websocket", "polling"])
async def test_a_key_that_expires_ends_its_connections(
    serving: Served, planners: LiveStudio, transport: Transport
) -> None:
    with psycopg.connect(serving.database.owner_dsn) as conn:
        soon = datetime.now(UTC) + timedelta(seconds=0.5)
        key = issue_api_key(conn, planners.slug, "viewer", expires_at=soon).secret
    async with connected(serving.address, key, transport) as client:
        await client.follow()
        problem = await _ends(client)
        assert problem["type"] == "/problems/unauthenticated"
        assert datetime.now(UTC) >= soon
        assert not serving.sockets.has(planners.tenant_id)


async def test_a_key_that_is_revoked_ends_its_connections(
    serving: Served, planners: LiveStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    authenticator = serving.services.authenticator
    assert isinstance(authenticator, BearerAuthenticator)
    monkeypatch.setattr(authenticator._api_keys, "_trust_seconds", 0.1)
    async with (
        connected(serving.address, planners.keys["viewer"]) as client,
        connected(serving.address, planners.keys["booker"]) as colleague,
    ):
        with psycopg.connect(serving.database.owner_dsn) as conn:
            (viewer,) = [k for k in list_api_keys(conn, planners.slug) if k.role == "viewer"]
            revoke_api_key(conn, planners.slug, str(viewer.key_id))
        assert (await _ends(client))["type"] == "/problems/unauthenticated"
        assert (await colleague.ask("subscribe", {}))["ok"]


async def test_a_connection_stays_while_nobody_can_tell_whether_it_may(
    serving: Served, planners: LiveStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = asyncio.Event()

    async def cannot_tell(_token: str) -> None:
        asked.set()
        raise Overloaded

    async with connected(serving.address, planners.keys["viewer"]) as client:
        monkeypatch.setattr(serving.services.authenticator, "authenticate", cannot_tell)
        async with asyncio.timeout(5):
            await asked.wait()
        assert (await client.ask("subscribe", {}))["ok"]
        monkeypatch.setattr("api.live.sockets.UNSURE_SECONDS", 0.0)
        assert (await _ends(client))["type"] == "/problems/overloaded"


async def test_who_leaves_while_looked_at_takes_nobody_along_who_comes_in_by_the_same_door(
    serving: Served, planners: LiveStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    looking, told, same = asyncio.Event(), asyncio.Event(), serving.sockets._signing_in.same

    async def same_later(guest: Guest, token: str) -> Principal:
        if token == planners.keys["viewer"]:
            looking.set()
            await told.wait()
            raise ProblemError(unauthenticated("It was revoked."))
        return await same(guest, token)

    async with httpx.AsyncClient(base_url=serving.address) as http:
        session = await RawSession.begin(http)
        monkeypatch.setattr(serving.sockets._signing_in, "same", same_later)
        await session.sign_in(planners.keys["viewer"])
        async with asyncio.timeout(5):
            await looking.wait()
        await session.send("41")
        await session.sign_in(planners.keys["booker"])
        told.set()
        await asyncio.sleep(0.2)  # several looks
        await session.subscribe()
        await session.send("1")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def issuer() -> AsyncIterator[LocalIssuer]:
    async with serving_issuer() as issuer:
        yield issuer


def _token(issuer: LocalIssuer, **changed: object) -> str:
    now = time.time()
    claims = Door(issuer, AsyncExitStack()).claims(iat=int(now) - 60, nbf=int(now) - 60)
    return FIRST.token(claims | {"exp": now + 60} | changed)


async def test_a_token_is_replaced_before_it_expires(
    live_database: Database, issuer: LocalIssuer
) -> None:
    settings = Settings.model_validate(
        {"CLERK_ISSUER": issuer.address, "CLERK_AUTHORIZED_PARTIES": ORIGIN}
    )
    leeway = 5
    short = _token(issuer, exp=time.time() - leeway + 1)
    async with (
        served(live_database, issuers=issuers_of(settings)) as serving,
        connected(serving.address, short) as forgetful,
        connected(serving.address, short) as careful,
    ):
        for wrong, kind in [
            (_token(issuer, sub="user_2"), "forbidden"),  # somebody else
            (_token(issuer, o={"id": "org_9", "rol": "admin"}), "forbidden"),
            ("bk_wrong", "unauthenticated"),
            (7, "validation-failed"),
        ]:
            answer = await careful.ask("auth.refresh", {"token": wrong})
            assert answer["problem"]["type"] == f"/problems/{kind}"
        assert await careful.ask("auth.refresh", {"token": _token(issuer)}) == {"ok": True}
        await _ends(forgetful)
        assert (await careful.ask("subscribe", {}))["ok"]


async def test_the_client_is_told_why_it_may_not_come_in(serving: Served) -> None:
    client = LiveClient(serving.address, "bk_wrong", ["polling"])
    try:
        with pytest.raises(Refused) as refused:
            await client.connect()
        assert refused.value.problem["type"] == "/problems/unauthenticated"
    finally:
        await client.close()


async def test_neither_tokens_nor_what_is_told_stand_in_the_log(
    serving: Served, planners: LiveStudio
) -> None:
    stage = await planners.resource("A secret stage")
    with capture_logs() as lines:
        async with connected(serving.address, planners.keys["viewer"], "polling") as client:
            room = await client.follow(resource_id=stage)
            booked = await planners.book(stage, title="A secret title")
            await client.until(lambda: room.last == booked["position"])
        await _refused(serving, "bk_a-token-that-is-wrong")
    text = str(lines)
    assert {"live.signed_in", "api.request"} <= {line["event"] for line in lines}
    assert "secret" not in text
    assert "bk_" not in text
    assert "sid=" not in text


async def test_pages_of_other_origins_may_not_connect(serving: Served) -> None:
    query = "?EIO=4&transport=websocket"
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    async with httpx.AsyncClient(base_url=serving.address) as browser:
        answer = await browser.get(
            f"/socket.io/{query}", headers={**upgrade, "Origin": "https://evil.example"}
        )
        assert answer.status_code == 403
        assert answer.json()["type"] == "/problems/forbidden"
        poll = await browser.get(
            "/socket.io/?EIO=4&transport=polling", headers={"Origin": "https://evil.example"}
        )
        assert "access-control-allow-origin" not in poll.headers
