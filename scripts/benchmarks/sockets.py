"""Many clients of the live updates, as light as can be: Socket.IO over WebSocket, spoken by hand.

Engine.IO (protocol 4) and Socket.IO (protocol 5) put a few digits before each message:
https://socket.io/docs/v4/engine-io-protocol/ and https://socket.io/docs/v4/socket-io-protocol/
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

from pydantic_core import from_json, to_json
from websockets.asyncio.client import ClientConnection, connect

from scripts.benchmarks.failure import BenchFailed
from scripts.benchmarks.requests import Place
from scripts.benchmarks.servers import Server

AT_ONCE = 50
"""That connect side by side."""

_OPEN, _PING, _PONG = "0", "2", "3"
_CONNECT, _CONNECTED, _EVENT = "40", "40{", "42"
_SUBSCRIBE, _SUBSCRIBED = "420", "430"


@dataclass
class Socket:
    """One client that looks at one resource.

    Attributes:
        resource_id: at which.
        heard: when each change came, in seconds since 1970, by its position.
    """

    resource_id: UUID
    heard: dict[int, float] = field(default_factory=dict)

    async def listen(self, connection: ClientConnection) -> None:
        """Take what comes, until the connection is closed."""
        async for message in connection:
            if message == _PING:
                await connection.send(_PONG)
            elif isinstance(message, str) and message.startswith(_EVENT):
                name, body = from_json(message.removeprefix(_EVENT))
                if name == "change":
                    self.heard[body["position"]] = time.time()


@asynccontextmanager
async def connected(server: Server, places: Sequence[Place]) -> AsyncIterator[Sequence[Socket]]:
    """Have clients connected and subscribed, one for each place.

    Args:
        server: to which.
        places: what each looks at, with the key that it signs in with.

    Yields:
        The clients.

    Raises:
        BenchFailed: one was not let in.
    """
    free = asyncio.Semaphore(AT_ONCE)
    sockets = [Socket(place.resource_id) for place in places]
    connections: list[ClientConnection] = []
    listening: list[asyncio.Task[None]] = []

    async def join(socket: Socket, place: Place) -> None:
        async with free:
            connection = await _subscribed(server, place)
        connections.append(connection)
        listening.append(asyncio.create_task(socket.listen(connection)))

    try:
        await asyncio.gather(*map(join, sockets, places))
        yield sockets
        if any(task.done() for task in listening):
            raise BenchFailed(f"{server.name} has cut clients off")
    finally:
        await asyncio.gather(*(connection.close() for connection in connections))
        await asyncio.gather(*listening, return_exceptions=True)


async def _subscribed(server: Server, place: Place) -> ClientConnection:
    address = f"ws://{server.host}:{server.port}/socket.io/?EIO=4&transport=websocket"
    connection = await connect(address, compression=None, ping_interval=None)
    await _expect(connection, _OPEN)
    await connection.send(_CONNECT + to_json({"token": place.api_key}).decode())
    await _expect(connection, _CONNECTED)
    wanted = {"resource_id": str(place.resource_id)}
    await connection.send(_SUBSCRIBE + to_json(["subscribe", wanted]).decode())
    [acknowledged] = from_json((await _expect(connection, _SUBSCRIBED)).removeprefix(_SUBSCRIBED))
    if not acknowledged.get("ok"):
        raise BenchFailed(f"{server.name} did not let a client listen: {acknowledged}")
    return connection


async def _expect(connection: ClientConnection, beginning: str) -> str:
    message = await connection.recv()
    if not isinstance(message, str) or not message.startswith(beginning):
        raise BenchFailed(f"{beginning!r} was expected, and {str(message)[:200]!r} came")
    return message
