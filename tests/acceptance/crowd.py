"""Clients on bare connections, cheap enough to flood a server from the machine it runs on."""

import asyncio
import json
import socket
import struct
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from tests.acceptance.conftest import DEMO_KEY

PATIENCE_SECONDS = 60


@dataclass(frozen=True)
class Answer:
    """What came back, and how long it took."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float


@dataclass
class Visitor:
    """One connection, one request at a time."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    key: str

    async def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
        async with asyncio.timeout(PATIENCE_SECONDS):
            asked_at = time.perf_counter()
            self.writer.write(request(method, path, body, self.key, **headers))
            return await self.answer(asked_at)

    async def answer(self, asked_at: float) -> Answer:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.strip().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines)
        content = await self.reader.readexactly(int(headers["content-length"]))
        return Answer(int(first.split()[1]), headers, content, time.perf_counter() - asked_at)


def request(method: str, path: str, body: bytes, key: str = DEMO_KEY, **headers: str) -> bytes:
    """A request as it goes over the wire; `Idempotency_Key="k"` is a header."""
    fields = {
        "Host": "booking",
        "Authorization": f"Bearer {key}",
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
    } | {name.replace("_", "-"): value for name, value in headers.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode() + body


def connect(address: str, receive_buffer: int | None = None) -> socket.socket:
    """A bare connection, for what no client library would do."""
    place = urlsplit(address)
    assert place.hostname is not None
    assert place.port is not None
    line = socket.socket()
    if receive_buffer is not None:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    line.settimeout(30)
    line.connect((place.hostname, place.port))
    return line


def leave(line: socket.socket) -> None:
    """Gone without a word: the connection is reset."""
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    line.close()


@asynccontextmanager
async def visitor(address: str, key: str = DEMO_KEY) -> AsyncIterator[Visitor]:
    """A client with a connection of its own."""
    place = urlsplit(address)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    try:
        yield Visitor(reader, writer, key)
    finally:
        writer.close()


def encoded(body: object) -> bytes:
    return json.dumps(body).encode()


def percentile(seconds: list[float], share: float) -> float:
    return sorted(seconds)[min(len(seconds) - 1, int(len(seconds) * share))]
