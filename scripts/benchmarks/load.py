"""The load: some connections, each sending its next request as soon as its last is answered.

A minimal HTTP/1.1 client on bare asyncio protocols, since on a machine of two cores whatever the
generator uses is taken from what it measures. A closed loop: when the server slows down, so does
the load. That measures throughput; its latencies are those of a server kept full.
"""

import asyncio
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import uvloop

from scripts.benchmarks.failure import BenchFailed
from scripts.benchmarks.servers import Server

_ANSWER_SECONDS = 30  # longer than any wait of the server's own
_HEAD_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_STATUS = slice(9, 12)  # of "HTTP/1.1 201 Created"


@dataclass(frozen=True)
class Load:
    """What is sent.

    Attributes:
        requests: whole requests, as bytes; the load ends when there are no more.
        expected: the status that every answer has.
        connections: how many at once.
        seconds: when the last request is sent, from the first on; None for no such end.
    """

    requests: Iterator[bytes]
    expected: int
    connections: int
    seconds: float | None = None


@dataclass(frozen=True)
class Answered:
    """How it was answered: with the expected status, all of it.

    Attributes:
        seconds: from the first request to the last answer.
        latencies: of each answer in seconds, shortest first.
        generator_seconds: processor time that the generator itself took.
    """

    seconds: float
    latencies: list[float]
    generator_seconds: float

    @property
    def count(self) -> int:
        """How many answers."""
        return len(self.latencies)

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.count / self.seconds

    def latency(self, share: float) -> float:
        """The latency in seconds that a share of the answers, 0 to 1, did not exceed."""
        return self.latencies[min(self.count - 1, int(self.count * share))]


def send(load: Load, server: Server) -> Answered:
    """Sends a load and waits for its last answer.

    Args:
        load: what is sent.
        server: to whom.

    Raises:
        BenchFailed: an answer is missing or has another status.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_send(load, server))


async def _send(load: Load, server: Server) -> Answered:
    loop = asyncio.get_running_loop()
    run = _Run(load, loop.create_future())
    connections = [
        (await loop.create_connection(lambda: _Connection(run), server.host, server.port))[1]
        for _ in range(load.connections)
    ]
    cpu, started = time.process_time(), time.perf_counter()
    run.start(started, connections)
    bound = (load.seconds or 0) + _ANSWER_SECONDS
    try:
        async with asyncio.timeout(bound):
            await run.over
    except TimeoutError:
        raise BenchFailed(f"{server.name} left requests unanswered after {bound:.0f} s") from None
    if not run.latencies:
        raise BenchFailed("there was nothing to send")
    return Answered(
        seconds=run.last_answer - started,
        latencies=sorted(run.latencies),
        generator_seconds=time.process_time() - cpu,
    )


class _Run:
    """What the connections of one load share."""

    def __init__(self, load: Load, over: "asyncio.Future[None]") -> None:
        self.over = over
        self.latencies: list[float] = []
        self.last_answer = 0.0
        self.expected = str(load.expected).encode()
        self._requests = load.requests
        self._seconds = float("inf") if load.seconds is None else load.seconds
        self._deadline = 0.0
        self._busy = 0

    def start(self, now: float, connections: list["_Connection"]) -> None:
        self._deadline = now + self._seconds
        self._busy = len(connections)
        for connection in connections:
            connection.send_next(now)

    def next_request(self, now: float) -> bytes | None:
        return None if now >= self._deadline else next(self._requests, None)

    def answered(self, now: float, latency: float) -> None:
        self.last_answer = now
        self.latencies.append(latency)

    def leave(self) -> None:
        self._busy -= 1
        if not self._busy and not self.over.done():
            self.over.set_result(None)

    def fail(self, why: str) -> None:
        if not self.over.done():
            self.over.set_exception(BenchFailed(why))


class _Connection(asyncio.Protocol):
    """One connection, with at most one request on its way."""

    def __init__(self, run: _Run) -> None:
        self._run = run
        self._transport: asyncio.WriteTransport
        self._sent_at: float | None = None
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are not subclasses of asyncio's.
        self._transport = cast("asyncio.WriteTransport", transport)

    def send_next(self, now: float) -> None:
        """Sends the next request, or leaves when there is none."""
        request = self._run.next_request(now)
        if request is None:
            self._sent_at = None
            self._transport.close()
            self._run.leave()
            return
        self._sent_at = now
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Takes the answer; the next request follows when it is whole."""
        received = self._received = self._received + data
        head_end = received.find(_HEAD_END)
        if head_end < 0 or self._sent_at is None:
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
        now = time.perf_counter()
        self._run.answered(now, now - self._sent_at)
        self.send_next(now)

    def connection_lost(self, _error: Exception | None) -> None:
        if self._sent_at is not None:
            self._run.fail("the server closed a connection instead of answering")
