"""Whatever a client sends, or does not take, costs a bounded amount, and nobody else anything."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import aiohttp
import httpx
import pytest
import pytest_asyncio

from api.guards import Guards
from api.live import bucket
from api.live.library import MAX_MESSAGE_BYTES, telling
from infra.database import Database
from tests.live.client import connected
from tests.live.raw import RawSession, comes_true
from tests.live.serving import IN_THE_LOOP_OF_THE_MODULE, LiveStudio, Served, served

pytestmark = IN_THE_LOOP_OF_THE_MODULE


@pytest.fixture(scope="module", autouse=True)
def soon_hung_up() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("api.live.sockets.LINGER_SECONDS", 0.1)
        yield


@pytest_asyncio.fixture(loop_scope="module")
async def http(serving: Served) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=serving.address) as client:
        yield client


def _ended(serving: Served) -> dict[str, float]:
    lines = serving.services.metrics.exposition().decode().splitlines()
    named = [line for line in lines if line.startswith("booking_live_sockets_ended_total")]
    return {line.split('"')[1]: float(line.split()[-1]) for line in named}


def _figure(serving: Served, name: str) -> float:
    lines = serving.services.metrics.exposition().decode().splitlines()
    (line,) = [line for line in lines if line.startswith(f"{name} ")]
    return float(line.split()[1])


@pytest.mark.parametrize(
    ("event", "body", "pointer"),
    [
        ("subscribe", {"resource_id": "no-uuid"}, "/resource_id"),
        ("subscribe", {"resource_id": str(uuid4()), "booking_id": str(uuid4())}, ""),
        ("subscribe", {"after": -1}, "/after"),
        ("subscribe", {"after": 1.5}, "/after"),
        ("subscribe", {"after": "7"}, "/after"),
        ("subscribe", {"after": 2**63}, "/after"),
        ("subscribe", {"tenant_id": str(uuid4())}, "/tenant_id"),
        ("subscribe", ["tenant"], ""),
        ("subscribe", "tenant", ""),
        ("subscribe", {"resource_id": "\ud800"}, ""),
        ("unsubscribe", {"booking": 1}, "/booking"),
        ("presence.enter", {"resource_id": str(uuid4()), "day": "1969-12-31"}, "/day"),
        ("presence.enter", {"resource_id": str(uuid4()), "day": "tomorrow"}, "/day"),
        ("presence.enter", {"day": "2027-03-01"}, "/resource_id"),
    ],
)
async def test_a_wrong_form_is_a_problem_and_the_connection_stays(
    serving: Served, planners: LiveStudio, event: str, body: object, pointer: str
) -> None:
    async with connected(serving.address, planners.keys["viewer"]) as client:
        problem = (await client.ask(event, body))["problem"]
        assert problem["type"] == "/problems/validation-failed"
        assert pointer in [error["pointer"] for error in problem["errors"]]
        assert (await client.ask("subscribe"))["ok"]


async def test_rooms_and_places_of_a_connection_are_bounded(
    serving: Served, planners: LiveStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.live.subscribing.MOST_SUBSCRIPTIONS", 2)
    monkeypatch.setattr("api.live.meeting.MOST_PLACES", 1)
    stages = [await planners.resource() for _ in range(3)]
    async with connected(serving.address, planners.keys["viewer"]) as client:
        for stage in stages[:2]:
            assert (await client.ask("subscribe", {"resource_id": stage}))["ok"]
        assert "problem" in await client.ask("subscribe", {"resource_id": stages[2]})
        assert (await client.ask("subscribe", {"resource_id": stages[1]}))["ok"]  # again
        assert await client.ask("unsubscribe", {"resource_id": stages[0]}) == {"ok": True}
        assert (await client.ask("subscribe", {"resource_id": stages[2]}))["ok"]
        assert _figure(serving, "booking_live_rooms") == 2
        place = {"resource_id": stages[0], "day": "2027-03-01"}
        assert (await client.ask("presence.enter", place))["ok"]
        assert "problem" in await client.ask("presence.enter", place | {"day": "2027-03-02"})
        assert (await client.ask("presence.enter", place))["ok"]
    await comes_true(lambda: _figure(serving, "booking_live_rooms") == 0)


async def test_who_connects_and_does_not_sign_in_is_hung_up(
    serving: Served, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.live.sockets.SIGN_IN_SECONDS", 0.1)
    before = _ended(serving).get("unauthenticated", 0)
    session = await RawSession.begin(http)
    async with (
        aiohttp.ClientSession() as raw,
        raw.ws_connect(f"{serving.address}/socket.io/?EIO=4&transport=websocket") as websocket,
    ):
        assert (await websocket.receive()).data.startswith('0{"sid"')
        assert (await websocket.receive(5)).type is aiohttp.WSMsgType.CLOSE
        assert websocket.close_code == 1008
    await comes_true(lambda: session.sid not in serving.sockets._sockets)
    assert (await session.poll()).status_code == 400
    assert _ended(serving)["unauthenticated"] == before + 2


async def test_there_is_room_for_so_many_and_a_quarter_of_it_for_strangers(
    live_database: Database,
) -> None:
    async with (
        served(live_database, Guards(sockets=8)) as serving,
        serving.studio() as studio,
        serving.studio() as others,
        httpx.AsyncClient(base_url=serving.address) as http,
    ):
        strangers = [await RawSession.begin(http) for _ in range(2)]
        turned_away = await http.get("/socket.io/?EIO=4&transport=polling")
        assert turned_away.status_code == 503
        assert turned_away.headers["Retry-After"]
        assert turned_away.json()["type"] == "/problems/overloaded"
        for number in range(6):  # three quarters of all
            await strangers.pop().sign_in(studio.keys["viewer"])
            if number < 5:
                strangers.append(await RawSession.begin(http))
        last = await RawSession.begin(http)
        answer = await last.send(f'40{{"token":"{studio.keys["viewer"]}"}}')
        assert answer.status_code == 200
        assert "/problems/overloaded" in (await last.poll()).text
        await strangers.pop().sign_in(others.keys["viewer"])
        await comes_true(lambda: len(serving.sockets) == 7)  # it was hung up
        assert _figure(serving, "booking_live_sockets") == 7


@pytest.mark.parametrize(
    "packets",
    [
        ["4"],
        ["4x"],
        ["42"],
        ["42[}"],
        ["42[" + "1" * 5_000 + "]"],
        ['451-["subscribe",{"_placeholder":true,"num":0}]'],
        ["44{}"],
        ["49"],
        ["bAAAA"],
    ],
)
async def test_what_is_no_packet_ends_the_session_that_sent_it(
    serving: Served,
    planners: LiveStudio,
    http: httpx.AsyncClient,
    packets: list[str],
) -> None:
    session = await RawSession.begin(http)
    await session.sign_in(planners.keys["viewer"])
    await session.send(*packets)
    await comes_true(lambda: session.sid not in serving.sockets._sockets)
    assert (await session.send("2probe")).status_code == 400
    assert not serving.sockets.has(planners.tenant_id)


@pytest.mark.parametrize("packet", ["0", "2", "6", "1\x1e2"])
async def test_what_a_client_may_not_send_is_answered_though_nobody_polls(
    http: httpx.AsyncClient, packet: str
) -> None:
    session = await RawSession.begin(http)
    refused = await session.send(packet)
    assert (refused.status_code, refused.json()["type"]) == (400, "/problems/malformed-request")
    assert refused.json()["request_id"] == refused.headers["X-Request-ID"]
    assert (await session.poll()).status_code == 400


async def test_what_comes_as_its_session_is_let_go_is_answered_too(
    serving: Served, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await RawSession.begin(http)
    io = serving.sockets.io

    async def let_go(sid: str, _data: object) -> None:
        io._server.eio.sockets.pop(sid)

    monkeypatch.setattr(io, "handle", let_go)
    refused = await session.send("40", "2")
    assert (refused.status_code, refused.json()["type"]) == (400, "/problems/malformed-request")


async def test_a_session_whose_upgrade_is_lost_polls_on(
    serving: Served, planners: LiveStudio, http: httpx.AsyncClient
) -> None:
    session = await RawSession.begin(http)
    await session.sign_in(planners.keys["viewer"])
    url = f"{serving.address}{session.path.replace('polling', 'websocket')}"
    async with aiohttp.ClientSession() as raw, raw.ws_connect(url):
        live = serving.sockets._sockets[session.sid]
        assert live.line is not None
    await comes_true(lambda: live.line is None)
    waiting = asyncio.create_task(session.poll())
    await comes_true(lambda: "GET" in live.polls)
    live.put(telling("told", "once"))
    assert '"told"' in (await waiting).text
    await session.send("1")


@pytest.mark.parametrize("frame", ["x", "", "4" * (MAX_MESSAGE_BYTES + 1), b"\x00"])
async def test_what_is_no_frame_ends_the_websocket_that_sent_it(
    serving: Served, frame: str | bytes
) -> None:
    async with (
        aiohttp.ClientSession() as raw,
        raw.ws_connect(f"{serving.address}/socket.io/?EIO=4&transport=websocket") as websocket,
    ):
        await websocket.receive()
        if isinstance(frame, bytes):
            await websocket.send_bytes(frame)
        else:
            await websocket.send_str(frame)
        kind = (await websocket.receive(5)).type
        assert kind in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)


async def test_who_sends_too_much_is_cut_off(
    serving: Served,
    planners: LiveStudio,
    http: httpx.AsyncClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bucket, "AT_ONCE", 30)
    before = _ended(serving).get("flood", 0)
    session = await RawSession.begin(http)
    await session.sign_in(planners.keys["viewer"])
    for _ in range(4):
        await session.send(*['42["unknown"]'] * 10)
    await comes_true(lambda: _ended(serving).get("flood", 0) == before + 1)
    assert (await session.poll()).status_code == 400
    async with (
        aiohttp.ClientSession() as raw,
        raw.ws_connect(f"{serving.address}/socket.io/?EIO=4&transport=websocket") as websocket,
    ):
        await websocket.receive()
        for _ in range(40):
            await websocket.send_str("5")  # of the transport, and answered
        async with asyncio.timeout(5):
            while (await websocket.receive()).type is aiohttp.WSMsgType.TEXT:
                pass
        assert websocket.close_code == 1008


async def test_two_polls_of_one_session_do_not_wait_beside_each_other(
    serving: Served, planners: LiveStudio, http: httpx.AsyncClient
) -> None:
    session = await RawSession.begin(http)
    await session.sign_in(planners.keys["viewer"])
    waiting = asyncio.create_task(session.poll())
    await comes_true(lambda: "GET" in serving.sockets._sockets[session.sid].polls)
    second = await session.poll()
    assert (second.status_code, second.json()["type"]) == (400, "/problems/malformed-request")
    await session.send("41")  # it signs out
    await session.send("1")  # and closes
    assert (await waiting).status_code == 200


async def test_a_websocket_that_takes_nothing_is_cut_off_and_its_memory_freed(
    serving: Served, planners: LiveStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.live.socket.MOST_WAITING", 50)
    before = _ended(serving).get("slow", 0)
    async with connected(serving.address, planners.keys["viewer"]) as client:
        live = serving.socket_of(planners)
        client.io.eio.ws._conn.transport.pause_reading()
        large = telling("large", "x" * 200_000)
        for _ in range(200):  # more than the kernel takes
            live.put(large)
            await asyncio.sleep(0)
            if live.ending:
                break
        await comes_true(lambda: _ended(serving).get("slow", 0) == before + 1)
        await comes_true(lambda: live.session not in serving.sockets._sockets)
        await comes_true(lambda: live.session not in serving.sockets.io._server.eio.sockets)
        client.io.eio.ws._conn.transport.resume_reading()


async def test_who_asks_on_and_on_and_takes_no_answer_is_cut_off(
    serving: Served,
    planners: LiveStudio,
    http: httpx.AsyncClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("api.live.sockets.MOST_WAITING", 20)
    before = _ended(serving).get("slow", 0)
    session = await RawSession.begin(http)
    await session.sign_in(planners.keys["viewer"])
    live = serving.socket_of(planners)
    for number in range(4):
        await session.send(*[f'42{ask}["unsubscribe",{{}}]' for ask in range(10)])
        if live.ending:
            break
        assert live.waiting == 10 * (number + 1)
    assert _ended(serving).get("slow", 0) == before + 1
    await comes_true(lambda: live.session not in serving.sockets._sockets)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/socket.io/", 400),
        ("GET", "/socket.io/?EIO=3&transport=polling", 400),
        ("GET", "/socket.io/?EIO=4&transport=websocket", 400),
        ("GET", "/socket.io/?EIO=4&transport=polling&j=1", 400),
        ("GET", "/socket.io/?EIO=4&transport=polling&sid=unknown", 400),
        ("POST", "/socket.io/?EIO=4&transport=polling&sid=unknown", 400),
        ("PUT", "/socket.io/?EIO=4&transport=polling", 405),
        ("OPTIONS", "/socket.io/?EIO=4&transport=polling", 405),
        ("GET", "/socket.io/socket.io.js", 401),
    ],
)
async def test_what_is_not_socket_io_is_a_problem(
    http: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    answer = await http.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"] == answer.json()["request_id"]
