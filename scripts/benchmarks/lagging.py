"""How long after its commit an event is in the projections, while commands come at a fixed rate.

Commands come when they are due, whether or not those before them are answered. Both moments are
PostgreSQL's own: it keeps when each transaction was committed, that of the events and that which
moved a checkpoint past them. Checkpoints are looked at every few milliseconds; one that moves twice
in between makes a lag look longer by that, never shorter.
"""

import asyncio
import secrets
import subprocess
import sys
import tempfile
import threading
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import cycle, islice
from operator import itemgetter
from pathlib import Path
from statistics import quantiles
from uuid import UUID

import psycopg
import uvloop

from domain.ids import ResourceId, TenantId
from infra.access import create_tenant
from infra.engine import Accepted, BookingEngine, Caller, CommandRequest, running_engine
from infra.engine.requests import Command
from infra.identity import new_id
from infra.master_key import MasterKey
from infra.postgres.embedded import MIGRATOR, RUNTIME, EmbeddedPostgres
from infra.postgres.migrator import migrate
from infra.telemetry.metrics import Metrics
from projections.catalogue import ASYNCHRONOUS
from scripts.benchmarks.failure import BenchFailed
from scripts.benchmarks.many_lives import BOOKINGS_AT_ONCE, STAGES, Life, lives, register
from scripts.benchmarks.servers import ROOT, environment

TARGET_MS = 250
WARM_UP_SECONDS = 2.0
LOOK_SECONDS = 0.005
CATCH_UP_SECONDS = 30.0
LATE_SECONDS = 1.0
"""After the last command was due."""

_LOOK = """
    select tenant_id, projection, seq, pg_xact_commit_timestamp(xmin)
      from booking.projection_checkpoint
     where is_live
"""
_COMMITTED = """
    select tenant_id, seq, pg_xact_commit_timestamp(xmin)
      from booking.event
     where recorded_at >= %s
     order by tenant_id, seq
"""
_BEHIND = """
    select count(*)
      from booking.tenant_head head
     cross join unnest(%s::text[]) wanted (projection)
      left join booking.projection_checkpoint checkpoint
        on checkpoint.tenant_id = head.tenant_id
       and checkpoint.projection = wanted.projection
       and checkpoint.is_live
     where checkpoint.seq is distinct from head.seq
"""

# When a checkpoint was moved to which position, for each tenant and projection.
Moves = Mapping[tuple[UUID, str], Sequence[tuple[int, datetime]]]


@dataclass(frozen=True)
class Lagging:
    """How long the events of one load took to one projection.

    Attributes:
        projection: which.
        rate: events a second.
        seconds: from each event's commit to that which moved the checkpoint past it.
    """

    projection: str
    rate: float
    seconds: Sequence[float]


def measure_lag(
    rate: int, seconds: float, tenants: int, progress: Callable[[str], None]
) -> list[Lagging]:
    """Send commands at a fixed rate, with a projector beside them.

    Args:
        rate: commands a second.
        seconds: how long.
        tenants: whose they are, in turn.
        progress: is told what happens.

    Returns:
        What came of it, projection by projection.

    Raises:
        BenchFailed: a command was refused, or the projector did not follow.
    """
    settings = {"track_commit_timestamp": "on"}
    with (
        tempfile.TemporaryDirectory(prefix="booking-bench-") as directory,
        EmbeddedPostgres(Path(directory) / "postgres", settings=settings) as postgres,
    ):
        owner, runtime = postgres.dsn(MIGRATOR), postgres.dsn(RUNTIME)
        migrate(owner)
        with psycopg.connect(owner) as conn:
            made = [create_tenant(conn, f"studio-{n}", f"Studio {n}") for n in range(tenants)]
        with _projector(runtime), _looking(owner) as moves:
            progress(f"{rate:,} commands/s of {tenants} tenants for {seconds:g} s")
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                began = runner.run(_load(owner, runtime, made, rate, seconds))
        with psycopg.connect(owner) as conn:
            committed = conn.execute(_COMMITTED, [began]).fetchall()
    return [_lagging(each.name, committed, moves) for each in ASYNCHRONOUS]


def report_lag(found: Sequence[Lagging]) -> str:
    """Say what came of it.

    Args:
        found: each projection's.
    """
    lines = [f"{'':<24}{'events/s':>10}{'p50':>10}{'p99':>10}{'longest':>10}"]
    for each in found:
        cuts = quantiles(each.seconds, n=100)
        times = "".join(f"{1000 * s:>7.1f} ms" for s in (cuts[49], cuts[98], max(each.seconds)))
        lines.append(
            f"{each.projection:<24}{each.rate:>10,.0f}{times}   target p99 < {TARGET_MS} ms"
        )
    return "\n".join(lines)


async def _load(
    owner: str, runtime: str, tenants: Sequence[TenantId], rate: int, seconds: float
) -> datetime:
    """Send commands; give the moment from which on they count."""
    async with running_engine(runtime, MasterKey(bytes(32)), Metrics()) as running:
        callers = [Caller(tenant, "key:benchmark", "benchmark") for tenant in tenants]
        stages = [[ResourceId(new_id()) for _ in range(STAGES)] for _ in tenants]
        for caller, theirs in zip(callers, stages, strict=True):
            for number, stage in enumerate(theirs):
                await _do(running.engine, caller, register(stage, number))
        wishes = _in_turn(callers, [lives(theirs) for theirs in stages])
        await _send(running.engine, islice(wishes, int(rate * WARM_UP_SECONDS)), rate)
        began = datetime.now(UTC)
        await _send(running.engine, islice(wishes, int(rate * seconds)), rate)
        await _until_caught_up(owner)
        return began


def _in_turn(
    callers: Sequence[Caller], of_each: Sequence[Iterator[Life]]
) -> Iterator[tuple[Caller, Command]]:
    """Give one command of each tenant after the other: bookings, then what happens to them."""
    while True:
        some = [life for _ in range(BOOKINGS_AT_ONCE) for life in map(next, of_each)]
        for turn in range(1 + max(len(life.steps) for life in some)):
            for caller, life in zip(cycle(callers), some, strict=False):
                commands = [life.beginning, *life.steps]
                if turn < len(commands):
                    yield caller, commands[turn]


async def _send(engine: BookingEngine, wishes: Iterator[tuple[Caller, Command]], rate: int) -> None:
    """Send each command when it is due, and wait for all of them at the end."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    under_way = []
    for number, (caller, command) in enumerate(wishes):
        await asyncio.sleep(began + number / rate - loop.time())
        under_way.append(asyncio.create_task(_do(engine, caller, command)))
    await asyncio.gather(*under_way)
    late = loop.time() - began - len(under_way) / rate
    if late > LATE_SECONDS:
        raise BenchFailed(f"the last command was answered {late:.1f} s late: this rate is too high")


async def _do(engine: BookingEngine, caller: Caller, command: Command) -> None:
    result = await engine.execute(caller, CommandRequest(command))
    if not isinstance(result, Accepted):
        raise BenchFailed("a command was refused")


async def _until_caught_up(owner: str) -> None:
    names = [each.name for each in ASYNCHRONOUS]
    with psycopg.connect(owner, autocommit=True) as conn:
        try:
            async with asyncio.timeout(CATCH_UP_SECONDS):
                while conn.execute(_BEHIND, [names]).fetchone() != (0,):  # noqa: ASYNC110 - another process
                    await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError as error:
            raise BenchFailed("the projector has not caught up") from error


@contextmanager
def _projector(dsn: str) -> Iterator[None]:
    settings = {
        "DATABASE_URL": dsn,
        "BOOKING_MASTER_KEY": secrets.token_hex(32),  # nobody has sealed anything
        "LOG_LEVEL": "WARNING",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "api.cli", "projector"], cwd=ROOT, env=environment(settings)
    )
    try:
        yield
        if process.poll() is not None:
            raise BenchFailed("the projector has ended")
    finally:
        process.kill()
        process.wait()


@contextmanager
def _looking(owner: str) -> Iterator[Moves]:
    """Look at the checkpoints every few milliseconds, and keep each move."""
    moves: defaultdict[tuple[UUID, str], list[tuple[int, datetime]]] = defaultdict(list)
    stop = threading.Event()

    def look() -> None:
        with psycopg.connect(owner, autocommit=True) as conn:
            while not stop.wait(LOOK_SECONDS):
                for tenant_id, projection, seq, moved_at in conn.execute(_LOOK):
                    seen = moves[tenant_id, projection]
                    if not seen or seen[-1][0] < seq:
                        seen.append((seq, moved_at))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield moves
    finally:
        stop.set()
        thread.join()


def _lagging(
    projection: str, committed: Sequence[tuple[UUID, int, datetime]], moves: Moves
) -> Lagging:
    seconds = []
    for tenant_id, seq, committed_at in committed:
        seen = moves[tenant_id, projection]
        _, moved_at = seen[bisect_left(seen, seq, key=itemgetter(0))]
        seconds.append((moved_at - committed_at).total_seconds())
    first, *_, last = sorted(committed_at for _, _, committed_at in committed)
    return Lagging(projection, len(committed) / (last - first).total_seconds(), seconds)
