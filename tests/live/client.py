"""A client of the live updates, by the rule that docs/live.md gives: it loses and doubles nothing.

It keeps `last` for each room: it drops a message at or before it, applies one whose `prev` is not
after it, and subscribes again from `last` where `prev` is: then something was lost.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal

import aiohttp
import engineio.payload  # type: ignore[import-untyped]  # it has no types
import socketio  # type: ignore[import-untyped]  # it has no types

Json = dict[str, Any]
Transport = Literal["websocket", "polling"]

PATIENCE_SECONDS = 10.0

# A poll brings all that waits. The library takes 16 messages of one, unless it is told otherwise.
engineio.payload.Payload.max_decode_packets = 10_000


class Refused(Exception):
    """The server does not let the client in; it has said why."""

    def __init__(self, problem: Json) -> None:
        super().__init__(problem["title"])
        self.problem = problem


@dataclass
class FollowedRoom:
    """A room, and what of it was applied."""

    name: Mapping[str, str]
    last: int | None = None
    applied: list[Json] = field(default_factory=list)
    lost: int = 0
    snapshots: list[int] = field(default_factory=list)
    beats: list[Json] = field(default_factory=list)

    @property
    def positions(self) -> list[int]:
        return [change["position"] for change in self.applied]


class LiveClient:
    """One connection, which comes back by itself and goes on where it was."""

    def __init__(self, address: str, token: str, transports: list[Transport] | None = None) -> None:
        self._address = address
        self.token = token
        self._transports = transports
        self.rooms: dict[tuple[tuple[str, str], ...], FollowedRoom] = {}
        self.told: list[tuple[str, Json]] = []  # all that is no change and no heartbeat
        self.refused: Json | None = None
        self.connections = 0
        self._some = asyncio.Condition()
        self._resuming: set[asyncio.Task[None]] = set()
        self._http = aiohttp.ClientSession()
        self.io = socketio.AsyncClient(
            reconnection_delay=0.05,
            reconnection_delay_max=0.2,
            randomization_factor=0.5,
            http_session=self._http,
        )
        self.raw: list[str] = []  # all that came, as it came
        handle = self.io.eio.handlers["message"]

        async def tapped(data: object) -> None:
            self.raw.append(str(data))
            await handle(data)

        self.io.eio.on("message", tapped)
        self.io.on("connect", self._connected)
        self.io.on("connect_error", self._not_connected)
        self.io.on("change", self._change)
        self.io.on("heartbeat", self._beat)
        self.io.on("snapshot_required", self._snapshot)
        self.io.on("*", self._other)

    async def connect(self) -> None:
        try:
            await self.io.connect(
                self._address,
                auth=lambda: {"token": self.token},
                transports=self._transports,
                wait_timeout=PATIENCE_SECONDS,
            )
        except socketio.exceptions.ConnectionError:
            if self.refused is None:
                raise
            raise Refused(self.refused) from None

    async def close(self) -> None:
        websocket = self.io.eio.ws
        await self.io.shutdown()
        if websocket is not None:  # the library leaves it open if the server ends the connection
            await websocket.close()
        await self._http.close()
        for task in self._resuming:
            task.cancel()

    async def ask(self, event: str, body: object = None) -> Json:
        answer: Json = await self.io.call(event, body, timeout=PATIENCE_SECONDS)
        return answer

    async def follow(self, after: int | None = None, **name: str) -> FollowedRoom:
        """Subscribe to a room, and to it again after each interruption."""
        room = self.rooms[_key(name)] = FollowedRoom(name, after)
        answer = await self._subscribe(room)
        assert answer.get("ok") or answer.get("snapshot_required"), answer
        return room

    def bodies(self, event: str) -> list[Json]:
        """What came with all events of a name."""
        return [body for name, body in self.told if name == event]

    async def until(self, holds: Callable[[], object]) -> None:
        """Wait until something holds of what was told."""
        async with asyncio.timeout(PATIENCE_SECONDS), self._some:
            await self._some.wait_for(holds)

    async def reaches(self, room: FollowedRoom, position: int) -> None:
        """Wait until a room is at a position, or after it."""
        await self.until(lambda: room.last is not None and room.last >= position)

    async def _subscribe(self, room: FollowedRoom) -> Json:
        body = {**room.name} if room.last is None else {**room.name, "after": room.last}
        answer = await self.ask("subscribe", body)
        if answer.get("snapshot_required"):
            await self._snapshot({"room": room.name, "position": answer["position"]})
        elif room.last is None and "ok" in answer:
            room.last = answer["position"]
        return answer

    async def _connected(self) -> None:
        self.connections += 1
        for room in self.rooms.values():
            self._resume(room)
        await self._notify()

    def _not_connected(self, why: object) -> None:
        if isinstance(why, dict):
            self.refused = why.get("data")

    async def _change(self, message: Json) -> None:
        room = self.rooms.get(_key(message["room"]))
        if room is None:
            return
        last = message["prev"] if room.last is None else room.last
        if message["position"] <= last:
            return
        if message["prev"] > last:
            room.lost += 1
            self._resume(room)
            return
        room.last = message["position"]
        room.applied.append(message)
        await self._notify()

    async def _beat(self, beat: Json) -> None:
        room = self.rooms.get(_key(beat["room"]))
        if room is None or room.last is None:
            return
        room.beats.append(beat)
        if beat["position"] > room.last:
            room.lost += 1
            self._resume(room)
        else:
            room.last = max(room.last, beat["head"])
        await self._notify()

    async def _snapshot(self, told: Json) -> None:
        """A page would read its calendar anew; what is applied here begins after that."""
        room = self.rooms.get(_key(told["room"]))
        if room is not None:
            room.snapshots.append(told["position"])
            room.last = told["position"]
            self._resume(room)
        await self._notify()

    async def _other(self, event: str, *bodies: Json) -> None:
        self.told.append((event, bodies[0] if bodies else {}))
        await self._notify()

    def _resume(self, room: FollowedRoom) -> None:
        async def resume() -> None:
            with suppress(socketio.exceptions.SocketIOError):  # the next connection resumes
                await self._subscribe(room)

        task = asyncio.ensure_future(resume())
        self._resuming.add(task)
        task.add_done_callback(self._resuming.discard)

    async def _notify(self) -> None:
        async with self._some:
            self._some.notify_all()


def _key(name: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(name.items()))


@asynccontextmanager
async def connected(
    address: str, token: str, transport: Transport | None = "websocket"
) -> AsyncIterator[LiveClient]:
    """A client that is connected until it is left."""
    client = LiveClient(address, token, None if transport is None else [transport])
    try:
        await client.connect()
        yield client
    finally:
        await client.close()
