"""Socket.IO by hand, over polling: for what no client would send, or would not take."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import httpx
from pydantic_core import from_json, to_json

_POLL = "/socket.io/?EIO=4&transport=polling"


@dataclass
class RawSession:
    """A session that polls when it is told to."""

    http: httpx.AsyncClient
    sid: str

    @classmethod
    async def begin(cls, http: httpx.AsyncClient) -> "RawSession":
        answer = await http.get(_POLL)
        assert answer.status_code == 200, answer.text
        return cls(http, from_json(answer.text[1:])["sid"])

    @property
    def path(self) -> str:
        return f"{_POLL}&sid={self.sid}"

    async def send(self, *packets: str) -> httpx.Response:
        return await self.http.post(self.path, content="\x1e".join(packets))

    async def poll(self) -> httpx.Response:
        return await self.http.get(self.path, timeout=20)

    async def sign_in(self, token: str) -> None:
        await self.send(f"40{to_json({'token': token}).decode()}")
        answer = await self.poll()
        assert answer.text.startswith("40"), answer.text

    async def subscribe(self, **room: str) -> None:
        await self.send(f"420{to_json(['subscribe', room]).decode()}")
        assert '"ok":true' in (await self.poll()).text.replace(" ", "")


async def comes_true(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)
