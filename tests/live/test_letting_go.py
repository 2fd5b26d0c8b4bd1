"""Of what has ended nothing stays in memory, however many come and go."""

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import httpx
import pytest
import pytest_asyncio
from engineio.async_socket import AsyncSocket  # type: ignore[import-untyped]  # it has no types
from websockets.server import ServerProtocol

from api.cli.tidy_websocket import TidyWebSocket
from api.live.socket import Socket
from tests.live.raw import RawSession, comes_true
from tests.live.serving import IN_THE_LOOP_OF_THE_MODULE, LiveStudio, Served

pytestmark = IN_THE_LOOP_OF_THE_MODULE


@pytest_asyncio.fixture(loop_scope="module")
async def http(serving: Served) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=serving.address) as client:
        yield client


@pytest.mark.parametrize("over", ["polls", "websocket"])
@pytest.mark.parametrize("signed_in", [False, True])
async def test_of_a_session_that_has_ended_nothing_stays(
    serving: Served,
    planners: LiveStudio,
    http: httpx.AsyncClient,
    monkeypatch: pytest.MonkeyPatch,
    over: str,
    signed_in: bool,  # noqa: FBT001 - a case of two
) -> None:
    for name in ("SIGN_IN_SECONDS", "CHECK_SECONDS"):
        monkeypatch.setattr(f"api.live.sockets.{name}", 3600)
    before, others = asyncio.all_tasks(), {*serving.sockets._sockets}

    def begun() -> tuple[str, "weakref.ref[Socket]"]:
        [new] = {*serving.sockets._sockets} - others
        return new, weakref.ref(serving.sockets._sockets[new])

    if over == "polls":
        session = await RawSession.begin(http)
        if signed_in:
            await session.sign_in(planners.keys["viewer"])
        sid, socket = begun()
        assert (await session.send("1")).status_code == 200
    else:
        url = f"{serving.address}/socket.io/?EIO=4&transport=websocket"
        async with aiohttp.ClientSession() as raw, raw.ws_connect(url) as line:
            await line.receive()
            if signed_in:
                await line.send_str(f'40{{"token":"{planners.keys["viewer"]}"}}')
                assert (await line.receive_str()).startswith("40")
            sid, socket = begun()

    def nothing_stays() -> bool:
        gc.collect()
        io = serving.sockets.io._server
        pings = [task for task in asyncio.all_tasks() - before if "_send_ping" in str(task)]
        return not (sid in io.eio.sockets or sid in io.environ or pings or socket())

    await comes_true(nothing_stays)


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("ends", ["closed", "cut", "by-us", "malformed", "foreign", "unknown"])
async def test_a_websocket_that_is_over_is_let_go_without_the_collector(
    serving: Served, monkeypatch: pytest.MonkeyPatch, ends: str
) -> None:
    monkeypatch.setattr("api.live.sockets.SIGN_IN_SECONDS", 0.1 if ends == "by-us" else 3600)
    others = {*serving.sockets.io._server.eio.sockets.values()}

    def kept() -> list[object]:
        kinds = (TidyWebSocket, ServerProtocol, AsyncSocket)
        return [each for each in gc.get_objects() if isinstance(each, kinds) and each not in others]

    before = len(kept())
    url = f"{serving.address}/socket.io/?EIO=4&transport=websocket"
    async with aiohttp.ClientSession() as raw:
        if ends in ("foreign", "unknown"):
            headers = {"Origin": "http://evil.example"} if ends == "foreign" else {}
            with pytest.raises(aiohttp.WSServerHandshakeError):
                await raw.ws_connect(url + "&sid=unknown" * (ends == "unknown"), headers=headers)
        else:
            line: Any = await raw.ws_connect(url)
            await line.receive()
            assert len(kept()) > before
            if ends == "malformed":
                await line.send_str("x")
            if ends == "cut":
                line._response.connection.transport.abort()
            elif ends == "closed":
                await line.close()
            else:
                await line.receive()
    del raw
    await comes_true(lambda: len(kept()) == before)
