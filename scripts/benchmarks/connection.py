"""A minimal HTTP/1.1 client connection on a bare asyncio protocol.

On a machine of two cores whatever the generator uses is taken from what it measures.
"""

import asyncio
import re
import time
from typing import Protocol, cast

_HEAD_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_STATUS = slice(9, 12)  # of "HTTP/1.1 201 Created"


class Run(Protocol):
    """Whoever sends, and hears of the answers."""

    expected: bytes
    """The status that every answer has."""

    def answered(self, connection: "Connection", now: float, latency: float) -> None:
        """An answer is whole; the connection is free."""

    def fail(self, why: str) -> None:
        """An answer is missing or not as it must be."""


class Connection(asyncio.Protocol):
    """One connection, with at most one request on its way."""

    def __init__(self, run: Run) -> None:
        """Remember who hears of the answers."""
        self._run = run
        self._transport: asyncio.WriteTransport
        self._since: float | None = None
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Takes the transport; uvloop's are not subclasses of asyncio's."""
        self._transport = cast("asyncio.WriteTransport", transport)

    def send(self, request: bytes, since: float) -> None:
        """Sends a request.

        Args:
            request: all of it.
            since: from when its latency counts.
        """
        self._since = since
        self._transport.write(request)

    def leave(self) -> None:
        """Closes it."""
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        """Takes the answer, and tells of it when it is whole."""
        received = self._received = self._received + data
        head_end = received.find(_HEAD_END)
        if head_end < 0 or self._since is None:
            return
        length = _LENGTH.search(received, 0, head_end)
        if length is None:
            self._run.fail(f"an answer without a length: {received[:500]!r}")
            return
        if len(received) < head_end + len(_HEAD_END) + int(length[1]):
            return
        if received[_STATUS] != self._run.expected:
            self._run.fail(f"expected {self._run.expected.decode()}, got: {received[:1000]!r}")
            return
        self._received = b""
        now, since = time.perf_counter(), self._since
        self._since = None
        self._run.answered(self, now, now - since)

    def connection_lost(self, _error: Exception | None) -> None:
        """Tells of it where an answer is missing."""
        if self._since is not None:
            self._run.fail("the server closed a connection instead of answering")
