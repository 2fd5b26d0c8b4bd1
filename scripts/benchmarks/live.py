"""How long after its commit a change is with the clients that look on, and what these cost.

Each of many sockets looks at one resource, while bookings come at a fixed rate. The moment of a
commit is PostgreSQL's own, that of an arrival the clients', both of one machine's clock; the
clients are a process of their own, which decodes what it takes.
"""

import asyncio
import resource
import secrets
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import Final
from uuid import UUID

import psycopg
import uvloop

from infra.access import create_api_key, create_tenant
from infra.postgres.embedded import MIGRATOR, EmbeddedPostgres
from infra.postgres.migrator import migrate
from scripts.benchmarks.databases import places as places_of
from scripts.benchmarks.failure import BenchFailed
from scripts.benchmarks.load import Load, send
from scripts.benchmarks.processor_time import processor_time
from scripts.benchmarks.requests import Place, bookings, registrations
from scripts.benchmarks.servers import Server, running
from scripts.benchmarks.sockets import Socket, connected

TARGET_MS: Final = 200
RESOURCES: Final = 200
CONNECTIONS: Final = 16
SETTLE_SECONDS: Final = 3.0
"""After the last booking: for the last message to arrive."""

_OPEN_FILES: Final = 65_536
_COMMITTED = """
    select seq, extract(epoch from pg_xact_commit_timestamp(xmin))::float8,
           (state::jsonb -> 'resource_ids' ->> 0)::uuid
      from booking.event
     where topic = 'booking.booked'
"""


@dataclass(frozen=True)
class Living:
    """What came of it.

    Attributes:
        sockets: how many.
        rate: bookings a second.
        bookings: how many.
        seconds: from a commit to each arrival.
        bytes_each: of the server's memory, for one more socket.
        server_share: of one processor, that the server took under load.
        idle_share: the same, while nothing was booked.
    """

    sockets: int
    rate: int
    bookings: int
    seconds: Sequence[float]
    bytes_each: float
    server_share: float
    idle_share: float


def measure_live(
    sockets: int, rate: int, seconds: float, progress: Callable[[str], None]
) -> Living:
    """Book at a fixed rate while many look on.

    Args:
        sockets: how many look on.
        rate: bookings a second.
        seconds: how long.
        progress: is told what happens.

    Raises:
        BenchFailed: a change did not reach everybody, or a booking was refused.
    """
    _take_many_connections()
    with (
        tempfile.TemporaryDirectory(prefix="booking-bench-") as name,
        EmbeddedPostgres(
            Path(name) / "postgres", settings={"track_commit_timestamp": "on"}
        ) as postgres,
    ):
        directory, key = Path(name), f"bench-{secrets.token_hex(16)}"
        migrate(postgres.dsn(MIGRATOR))
        with psycopg.connect(postgres.dsn(MIGRATOR)) as conn:
            create_tenant(conn, "studio", "Studio")
            create_api_key(conn, "studio", "admin", key=key)
        settings = {
            "BOOKING_DATA_DIR": name,
            "BOOKING_MASTER_KEY": secrets.token_hex(32),
            "LOG_LEVEL": "WARNING",
            "BOOKING_TENANT_RATE": "0",
            "BOOKING_KEY_RATE": "0",
            "BOOKING_SOCKETS": str(2 * sockets),
        }
        log = directory / "api.log"
        with running("this API", "api.cli", ["api", "--port", "0"], settings, log) as server:
            send(Load(registrations(RESOURCES, [key]), 201, CONNECTIONS), server)
            looking_on = _spread(places_of(postgres, {"studio": key}), sockets)
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                return runner.run(_look_on(server, postgres, looking_on, rate, seconds, progress))


def report_live(found: Living) -> str:
    """Say what came of it.

    Args:
        found: that.
    """
    cuts = quantiles(found.seconds, n=100)
    p50, p99, longest = (1000 * each for each in (cuts[49], cuts[98], max(found.seconds)))
    lines = [
        f"{found.sockets:,} sockets, {found.rate} bookings/s: {len(found.seconds):,} messages of",
        f"{found.bookings:,} bookings, each told to everybody who looked at its resource",
        f"commit to client   p50 {p50:.1f} ms   p99 {p99:.1f} ms   longest {longest:.1f} ms",
        f"                   target p99 < {TARGET_MS} ms",
        f"memory             {found.bytes_each / 1024:.1f} KiB for a socket",
        f"processor          {found.server_share:.0%} of one; {found.idle_share:.0%} at rest",
    ]
    return "\n".join(lines)


async def _look_on(
    server: Server,
    postgres: EmbeddedPostgres,
    looking_on: Sequence[Place],
    rate: int,
    seconds: float,
    progress: Callable[[str], None],
) -> Living:
    empty = _resident_bytes(server.process_id)
    progress(f"{len(looking_on):,} sockets connect")
    async with connected(server, looking_on) as sockets:
        full = _resident_bytes(server.process_id)
        idle = await _share_of(server, asyncio.sleep(SETTLE_SECONDS))
        progress(f"{rate} bookings/s for {seconds:g} s")
        distinct = list(dict.fromkeys(looking_on))
        load = Load(bookings(range(int(rate * seconds)), distinct), 201, CONNECTIONS, seconds, rate)
        busy = await _share_of(server, asyncio.to_thread(send, load, server))
        await asyncio.sleep(SETTLE_SECONDS)
    with psycopg.connect(postgres.dsn(MIGRATOR)) as conn:
        committed = {
            seq: (at, resource_id) for seq, at, resource_id in conn.execute(_COMMITTED).fetchall()
        }
    return Living(
        sockets=len(sockets),
        rate=rate,
        bookings=len(committed),
        seconds=_delays(sockets, committed),
        bytes_each=(full - empty) / len(sockets),
        server_share=busy,
        idle_share=idle,
    )


def _delays(sockets: Sequence[Socket], committed: Mapping[int, tuple[float, UUID]]) -> list[float]:
    """Tell how long each change took to each client; all have to be there."""
    expected: dict[UUID, set[int]] = {}
    for seq, (_, resource_id) in committed.items():
        expected.setdefault(resource_id, set()).add(seq)
    for socket in sockets:
        if socket.heard.keys() != expected.get(socket.resource_id, set()):
            raise BenchFailed("a client was not told of every booking of its resource, once")
    return [at - committed[seq][0] for socket in sockets for seq, at in socket.heard.items()]


async def _share_of(server: Server, work: Awaitable[object]) -> float:
    loop = asyncio.get_running_loop()
    began, used = loop.time(), _used(server)
    await work
    return (_used(server) - used) / (loop.time() - began)


def _used(server: Server) -> float:
    used = processor_time(server.process_id, server.process_id)
    return 0.0 if used is None else used.server


def _spread(places: Sequence[Place], sockets: int) -> list[Place]:
    return [places[number % len(places)] for number in range(sockets)]


def _resident_bytes(process: int) -> int:
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def _take_many_connections() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if most == resource.RLIM_INFINITY else min(_OPEN_FILES, most)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
