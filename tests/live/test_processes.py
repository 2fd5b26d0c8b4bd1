"""Two server processes behind nginx, as docs/live.md shows it; one is killed, one told to stop."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psycopg
import pytest
import pytest_asyncio

from infra.access import ROLES, create_api_key, create_tenant
from infra.database import Database
from infra.wrapped_secrets import open_secrets
from tests.live.client import LiveClient, Transport, connected
from tests.live.nginx import nginx_before
from tests.live.serving import IN_THE_LOOP_OF_THE_MODULE, MASTER_KEY, MASTER_KEY_BYTES, LiveStudio
from tests.redis_server import RedisServer

pytestmark = IN_THE_LOOP_OF_THE_MODULE

ROOT = Path(__file__).parents[2]
_LISTENS = re.compile(rb"listens at (http://\S+:\d+)")


@dataclass
class ServerProcess:
    """`booking api` as its operators start it."""

    process: asyncio.subprocess.Process
    address: str
    reading: "asyncio.Task[bytes]"

    async def stop(self) -> bytes:
        """SIGTERM; gives what it has printed."""
        if self.process.returncode is None:
            self.process.terminate()
        async with asyncio.timeout(10):  # less than a poll lasts
            assert await self.process.wait() == 0
        return await self.reading

    async def kill(self) -> None:
        self.process.kill()
        await self.process.wait()
        await self.reading


async def _start(database: Database, redis: RedisServer) -> ServerProcess:
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("BOOKING_", "DATABASE_", "MIGRATION_", "REDIS_", "LOG_"))
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "api.cli", "api", "--port", "0"),
        cwd=ROOT,
        env=inherited
        | {
            "DATABASE_URL": database.runtime_dsn,
            "MIGRATION_DATABASE_URL": database.owner_dsn,
            "BOOKING_MASTER_KEY": MASTER_KEY_BYTES.hex(),
            "REDIS_URL": redis.url,
            "BOOKING_POOL_SIZE": "4",
            "LOG_FORMAT": "json",
            "PYTHONUNBUFFERED": "1",
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    printed = b""
    async with asyncio.timeout(60):
        while (found := _LISTENS.search(printed)) is None:
            line = await process.stdout.readline()
            assert line, printed.decode()
            printed += line
    return ServerProcess(process, found[1].decode(), asyncio.create_task(process.stdout.read()))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def processes(
    live_database: Database, redis_server: RedisServer
) -> AsyncIterator[list[ServerProcess]]:
    open_secrets(live_database.runtime_dsn, MASTER_KEY)  # made once, before two would
    running = list(await asyncio.gather(*(_start(live_database, redis_server) for _ in range(2))))
    yield running
    for process in running:
        if process.process.returncode is None:
            await process.kill()


@asynccontextmanager
async def studio_at(address: str, database: Database, slug: str) -> AsyncIterator[LiveStudio]:
    with psycopg.connect(database.owner_dsn) as conn:
        tenant_id = create_tenant(conn, slug, slug.title())
        keys = {role: create_api_key(conn, slug, role) for role in ROLES}
    headers = {"Authorization": f"Bearer {keys['admin']}"}
    async with httpx.AsyncClient(base_url=address, headers=headers) as client:
        yield LiveStudio(tenant_id, slug, keys, client)


async def _figure(process: ServerProcess, studio: LiveStudio, name: str) -> float:
    async with studio.other_client(process.address, "admin") as operator:
        lines = (await operator.get("/metrics")).text.splitlines()
    (line,) = [line for line in lines if line.startswith(f"{name} ")]
    return float(line.split()[1])


@pytest.mark.parametrize(
    ("transport", "affinity"),
    [("polling", True), (None, True), ("websocket", False)],
    ids=["polling with affinity", "an upgrade with affinity", "WebSocket without"],
)
async def test_clients_of_all_processes_are_told_the_same(
    processes: list[ServerProcess],
    live_database: Database,
    transport: Transport | None,
    affinity: bool,  # noqa: FBT001 - pytest passes it by name
) -> None:
    addresses = [process.address for process in processes]
    async with (
        nginx_before(addresses, affinity=affinity) as proxy,
        studio_at(proxy, live_database, f"{transport}-{affinity}".lower()) as studio,
    ):
        stage = await studio.resource()
        clients: list[LiveClient] = []

        async def at_each() -> list[float]:
            return [await _figure(one, studio, "booking_live_sockets") for one in processes]

        try:
            # To which process a name leads depends on their ports: it may be one for all of a few.
            while len(clients) < 6 or not all(await at_each()):
                assert len(clients) < 40, "nginx sent all clients to one process"
                client = LiveClient(
                    f"{proxy}?affinity=client-{len(clients)}",
                    studio.keys["viewer"],
                    None if transport is None else [transport],
                )
                clients.append(client)
                await client.connect()
                await client.follow(resource_id=stage, after=0)
            assert sum(await at_each()) == len(clients)
            for _ in range(5):
                last = (await studio.book(stage))["position"]
            for client in clients:
                (room,) = client.rooms.values()
                await client.reaches(room, last)
                assert room.positions == [*range(1, last + 1)]
                assert client.connections == 1
        finally:
            for client in clients:
                await client.close()


async def test_a_process_that_dies_or_is_told_to_stop_loses_nobody_anything(
    processes: list[ServerProcess], live_database: Database
) -> None:
    one, two = processes
    async with (
        nginx_before([one.address, two.address], affinity=False) as proxy,
        studio_at(two.address, live_database, "left") as studio,
        connected(proxy, studio.keys["viewer"]) as first,
        connected(proxy, studio.keys["viewer"]) as second,
        connected(two.address, studio.keys["booker"], "polling") as polling,
    ):
        stage = await studio.resource()
        clients = (first, second, polling)
        rooms = [await client.follow(resource_id=stage) for client in clients]
        begun = rooms[0].last
        assert begun is not None
        booking = asyncio.create_task(_book(studio, stage, 40))
        await one.kill()
        last = await booking
        for client, room in zip(clients, rooms, strict=True):
            await client.reaches(room, last)
            assert room.positions == [*range(begun + 1, last + 1)]
        assert first.connections + second.connections == 3  # one of them came back

        printed = await two.stop()
        assert b"live.signed_in" in printed
        assert b"Traceback" not in printed
        assert b"bk_" not in printed
        for client in clients:
            async with asyncio.timeout(5):
                while client.io.connected:  # noqa: ASYNC110 - it was told, and hears of it soon
                    await asyncio.sleep(0.01)


async def _book(studio: LiveStudio, stage: str, times: int) -> int:
    last = 0
    for _ in range(times):
        last = (await studio.book(stage))["position"]
    return last
