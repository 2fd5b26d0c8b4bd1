"""The load over HTTP, in one of two ways.

Closed: some connections, each sending its next request as soon as its last is answered. When the
server slows down, so does the load. That measures throughput; its latencies are those of a server
kept full. Open: at a fixed rate, each request at a time set beforehand, from which its latency
counts, also where no connection was free then: a slow server cannot put off what it is measured by.
"""

import asyncio
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import uvloop

from scripts.benchmarks.connection import Connection
from scripts.benchmarks.failure import BenchFailed
from scripts.benchmarks.servers import Server

_ANSWER_SECONDS = 30  # longer than any wait of the server's own
_TICK_SECONDS = 0.001  # uvloop's timers know no shorter time, and would spin


@dataclass(frozen=True)
class Load:
    """What is sent.

    Attributes:
        requests: whole requests, as bytes; the load ends when there are no more.
        expected: the status that every answer has.
        connections: how many at once.
        seconds: when the last request is sent, from the first on; None for no such end.
        rate: requests a second, for an open load; None for a closed one.
    """

    requests: Iterator[bytes]
    expected: int
    connections: int
    seconds: float | None = None
    rate: float | None = None


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
    run = (_Closed if load.rate is None else _Open)(load)
    connections = [
        (await loop.create_connection(lambda: Connection(run), server.host, server.port))[1]
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
    for connection in connections:
        connection.leave()
    if not run.latencies:
        raise BenchFailed("there was nothing to send")
    return Answered(
        seconds=run.last_answer - started,
        latencies=sorted(run.latencies),
        generator_seconds=time.process_time() - cpu,
    )


class _Run:
    """What the connections of one load share."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.expected = str(load.expected).encode()
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.latencies: list[float] = []
        self.last_answer = 0.0

    def answered(self, connection: Connection, now: float, latency: float) -> None:
        self.last_answer = now
        self.latencies.append(latency)
        self.free(connection, now)

    def start(self, now: float, connections: list[Connection]) -> None:
        raise NotImplementedError

    def free(self, connection: Connection, now: float) -> None:
        raise NotImplementedError

    def end(self) -> None:
        if not self.over.done():
            self.over.set_result(None)

    def fail(self, why: str) -> None:
        if not self.over.done():
            self.over.set_exception(BenchFailed(why))


class _Closed(_Run):
    """Each connection sends again once it is answered."""

    def start(self, now: float, connections: list[Connection]) -> None:
        self._deadline = now + (float("inf") if self.load.seconds is None else self.load.seconds)
        self._busy = len(connections)
        for connection in connections:
            self.free(connection, now)

    def free(self, connection: Connection, now: float) -> None:
        request = None if now >= self._deadline else next(self.load.requests, None)
        if request is not None:
            connection.send(request, now)
            return
        self._busy -= 1
        if not self._busy:
            self.end()


class _Open(_Run):
    """Requests are due at fixed times, and wait where no connection is free."""

    def start(self, now: float, connections: list[Connection]) -> None:
        self._due = self._plan(now)
        self._next_due = next(self._due, None)
        self._connections = len(connections)
        self._free = deque(connections)
        self._timer: asyncio.TimerHandle | None = None
        self._go_on(now)

    def free(self, connection: Connection, now: float) -> None:
        self._free.append(connection)
        self._go_on(now)

    def _plan(self, now: float) -> Iterator[float]:
        rate, seconds = self.load.rate or 1.0, self.load.seconds or 0.0
        return (now + number / rate for number in range(int(seconds * rate)))

    def _go_on(self, now: float) -> None:
        while self._free and self._next_due is not None and self._next_due <= now:
            request = next(self.load.requests, None)
            if request is None:
                self._next_due = None
                break
            # The one that has rested longest: all of them take part.
            self._free.popleft().send(request, self._next_due)
            self._next_due = next(self._due, None)
        if self._next_due is None:
            if len(self._free) == self._connections:
                self.end()
        elif self._free and self._timer is None:  # with none free, the next answer goes on
            pause = max(_TICK_SECONDS, self._next_due - now)
            self._timer = asyncio.get_running_loop().call_later(pause, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._go_on(time.perf_counter())
