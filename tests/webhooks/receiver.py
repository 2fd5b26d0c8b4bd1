"""Somebody else's server: a real one, that keeps what it is sent and answers as it is told."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from pydantic_core import from_json

SECONDS = 20


@dataclass(frozen=True)
class Received:
    """A message as it came."""

    headers: dict[str, str]
    body: bytes
    path: str

    @property
    def event(self) -> dict[str, Any]:
        event: dict[str, Any] = from_json(self.body)
        return event

    @property
    def position(self) -> int:
        return int(self.event["sequence"])

    @property
    def subject(self) -> str:
        return str(self.event["subject"])


Answer = Callable[[Received], Awaitable[web.Response]]


async def take_it(_message: Received) -> web.Response:
    return web.Response(status=204)


class Receiver:
    """The server.

    Attributes:
        received: what came, in the order in which it came.
        answer: says what is answered.
    """

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.answer: Answer = take_it
        self.port = 0
        self._changed = asyncio.Condition()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks"

    @property
    def positions(self) -> list[int]:
        return [message.position for message in self.received]

    def answers(self, *statuses: int, **headers: str) -> None:
        """Answer these, one after the other, and the last one from then on."""
        left = list(statuses)

        async def answer(_message: Received) -> web.Response:
            status = left.pop(0) if len(left) > 1 else left[0]
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            return web.Response(status=status, headers=named if status >= 300 else {})

        self.answer = answer

    async def until(self, enough: Callable[[list[Received]], bool]) -> list[Received]:
        """Wait for what is to come."""
        async with asyncio.timeout(SECONDS), self._changed:
            await self._changed.wait_for(lambda: enough(self.received))
        return self.received

    async def come(self, messages: int) -> list[Received]:
        return await self.until(lambda received: len(received) >= messages)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["Receiver"]:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._take)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", self.port)
        await site.start()
        self.port = site.port
        try:
            yield self
        finally:
            await runner.cleanup()

    async def _take(self, request: web.Request) -> web.StreamResponse:
        message = Received(
            {name.lower(): value for name, value in request.headers.items()},
            await request.read(),
            request.path,
        )
        async with self._changed:
            self.received.append(message)
            self._changed.notify_all()
        return await self.answer(message)
