"""Two processes, read and written at once: how often an answer is kept, and that none is too old.

Each read asks, with Min-Event-Position, for what was written last, to whichever process; its answer
has to have every booking of that resource up to there.
"""

import asyncio
import http.client
import json
import re
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

import uvloop

from scripts.benchmarks.failure import BenchFailed
from scripts.benchmarks.requests import CLAIMS, Place, bookings, calendar_reads, zipf
from scripts.benchmarks.servers import Server

READERS = 16
_LOOKS = re.compile(
    r'^booking_cache_looks_total\{kind="calendar",layer="(\w+)",outcome="(\w+)"\} (\S+)$',
    re.MULTILINE,
)


@dataclass(frozen=True)
class Mixed:
    """What came of it.

    Attributes:
        reads: that were answered.
        writes: likewise.
        seconds: how long it took.
        hits: the share of looks that found an answer, by layer.
        read_latencies: of each read, in seconds, shortest first.
    """

    reads: int
    writes: int
    seconds: float
    hits: Mapping[str, float]
    read_latencies: Sequence[float]

    def told(self) -> str:
        """Say so."""
        p50, p99 = (
            self.read_latencies[int(share * (self.reads - 1))] * 1000 for share in (0.5, 0.99)
        )
        hits = ", ".join(f"{layer} {share:.1%}" for layer, share in sorted(self.hits.items()))
        return (
            f"two processes, {self.writes / self.seconds:,.0f} bookings/s and "
            f"{self.reads / self.seconds:,.0f} reads/s at once (p50 {p50:.1f} ms, p99 {p99:.1f} ms)"
            f"\n  found in {hits}\n  {self.reads:,} answers, none older than its "
            "Min-Event-Position: each had every booking up to there"
        )


@dataclass
class _Client:
    """One connection that sends one request after the other."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def ask(self, request: bytes) -> tuple[int, int, bytes]:
        """Give status, Event-Position and body of the answer."""
        self.writer.write(request)
        head = await self.reader.readuntil(b"\r\n\r\n")
        fields = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
        body = await self.reader.readexactly(int(fields[b"content-length"]))
        return int(head[9:12]), int(fields.get(b"event-position", 0)), body


@dataclass
class _Mix:
    servers: Sequence[Server]
    places: Sequence[Place]
    until: float
    written: int = 0
    position: int = 0
    booked: dict[str, list[tuple[int, str]]] = field(default_factory=lambda: defaultdict(list))
    latencies: list[float] = field(default_factory=list)

    async def client(self, number: int) -> _Client:
        server = self.servers[number % len(self.servers)]
        return _Client(*await asyncio.open_connection(server.host, server.port))

    async def write(self, rate: int) -> None:
        clients = [await self.client(number) for number in range(len(self.servers))]
        requests = bookings(count(CLAIMS * len(self.places)), self.places)
        now = asyncio.get_running_loop().time
        began = now()
        while now() < self.until:
            status, position, body = await clients[self.written % len(clients)].ask(next(requests))
            if status != http.client.CREATED:
                raise BenchFailed(f"a booking was answered with {status}: {body[:500]!r}")
            booking = json.loads(body)
            self.booked[booking["resource_ids"][0]].append((position, booking["id"]))
            self.position = max(self.position, position)
            self.written += 1
            await asyncio.sleep(max(0.0, began + self.written / rate - now()))

    async def read(self, number: int, chosen: Iterator[int]) -> None:
        client = await self.client(number)
        while asyncio.get_running_loop().time() < self.until:
            place = next(chosen)
            resource, least = str(self.places[place].resource_id), self.position
            [request] = calendar_reads(self.places, [place])
            request = request[:-2] + b"Min-Event-Position: %d\r\n\r\n" % least
            began = time.perf_counter()
            status, position, body = await client.ask(request)
            self.latencies.append(time.perf_counter() - began)
            if status != http.client.OK or position < least:
                raise BenchFailed(f"asked for {least}, got {status} at {position}: {body[:500]!r}")
            for written, booking_id in self.booked[resource]:
                if written <= least and booking_id.encode() not in body:
                    raise BenchFailed(
                        f"{booking_id} of {written} is not in an answer at {position}"
                    )


def mixed(servers: Sequence[Server], places: Sequence[Place], seconds: float, writes: int) -> Mixed:
    """Reads and writes at once.

    Args:
        servers: processes on one database.
        places: resources with a booking each for every number below `CLAIMS`.
        seconds: how long.
        writes: bookings a second.

    Raises:
        BenchFailed: an answer lacks what was asked for.
    """
    before = _looks(servers, places[0].api_key)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        mix = runner.run(_run(servers, places, seconds, writes))
    after = _looks(servers, places[0].api_key)
    hits = {}
    for layer in ("memory", "redis"):
        hit, miss = (after[layer, outcome] - before[layer, outcome] for outcome in ("hit", "miss"))
        hits[layer] = hit / max(1.0, hit + miss)
    return Mixed(len(mix.latencies), mix.written, seconds, hits, sorted(mix.latencies))


async def _run(
    servers: Sequence[Server], places: Sequence[Place], seconds: float, writes: int
) -> _Mix:
    mix = _Mix(servers, places, asyncio.get_running_loop().time() + seconds)
    chosen = zipf(len(places))
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(mix.write(writes))
            for number in range(READERS):
                tasks.create_task(mix.read(number, chosen))
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return mix


def _looks(servers: Sequence[Server], api_key: str) -> Mapping[tuple[str, str], float]:
    """Read how often calendars were looked for, and whether they were there."""
    looks: dict[tuple[str, str], float] = defaultdict(float)
    for server in servers:
        connection = http.client.HTTPConnection(server.host, server.port, timeout=10)
        try:
            connection.request("GET", "/metrics", headers={"Authorization": f"Bearer {api_key}"})
            text = connection.getresponse().read().decode()
        finally:
            connection.close()
        for layer, outcome, times in _LOOKS.findall(text):
            looks[layer, outcome] += float(times)
    return looks
