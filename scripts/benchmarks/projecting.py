"""How fast projections catch up with a long log of many tenants: one runner, and two."""

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psycopg
import typer
import uvloop

from infra.access import create_tenant
from infra.engine import running_engine
from infra.master_key import MasterKey
from infra.postgres.embedded import MIGRATOR, RUNTIME, EmbeddedPostgres
from infra.postgres.migrator import migrate
from infra.postgres.pool import open_pool
from infra.projecting import ProjectionRunner
from infra.telemetry.metrics import Metrics
from projections.catalogue import ASYNCHRONOUS
from scripts.benchmarks.failure import BenchFailed
from scripts.benchmarks.many_lives import live
from scripts.benchmarks.servers import ROOT, environment

_STANDING = """
    select count(*) filter (where checkpoint.seq = head.seq and is_live), count(*)
      from booking.projection_checkpoint checkpoint
      join booking.tenant_head head using (tenant_id)
"""
_FORGET = """
    truncate booking.projection_checkpoint, booking.bookings, booking.bookings_resource
"""


@dataclass(frozen=True)
class CaughtUp:
    """How long it took to project a log.

    Attributes:
        runners: processes side by side.
        events: in the log.
        seconds: from their start, until none was behind.
    """

    runners: int
    events: int
    seconds: float


def measure_projecting(
    events: int, tenants: int, rounds: int, progress: Callable[[str], None]
) -> list[CaughtUp]:
    """Make a log, and project it again and again from its beginning.

    Args:
        events: of all tenants.
        tenants: how many.
        rounds: how often each number of runners is measured, in turn.
        progress: is told what happens.

    Returns:
        What each round took.

    Raises:
        BenchFailed: a runner failed, or left something out.
    """
    with (
        tempfile.TemporaryDirectory(prefix="booking-bench-") as directory,
        EmbeddedPostgres(Path(directory) / "postgres") as postgres,
    ):
        owner, runtime = postgres.dsn(MIGRATOR), postgres.dsn(RUNTIME)
        migrate(owner)
        progress(f"making a log of {events:,} events")
        asyncio.run(_make(owner, runtime, events, tenants))
        with psycopg.connect(owner, autocommit=True) as conn:
            conn.execute("vacuum analyze")
            [(made,)] = conn.execute("select sum(seq)::bigint from booking.tenant_head").fetchall()
            found: list[CaughtUp] = []
            for _ in range(rounds):
                for runners in (1, 2):
                    conn.execute(_FORGET)
                    seconds = _catch_up(runtime, runners)
                    [(there, wanted)] = conn.execute(_STANDING).fetchall()
                    if not there == wanted == tenants * len(ASYNCHRONOUS):
                        raise BenchFailed(f"{there} of {wanted} checkpoints are at the head")
                    found.append(CaughtUp(runners, made, seconds))
                    progress(f"{runners} runners: {made / seconds:,.0f} events/s")
        return found


def report_projecting(found: list[CaughtUp]) -> str:
    """Say what came of it, the best round of each.

    Args:
        found: all rounds.
    """
    names = ", ".join(projection.name for projection in ASYNCHRONOUS)
    best = {
        runners: max(each.events / each.seconds for each in found if each.runners == runners)
        for runners in (1, 2)
    }
    lines = [f"{names}: {found[0].events:,} events from the first on"]
    lines += [f"  {runners} runner(s)  {rate:>10,.0f} events/s" for runners, rate in best.items()]
    return "\n".join([*lines, f"  two to one   {best[2] / best[1]:>10.2f}"])


async def _make(owner: str, runtime: str, events: int, tenants: int) -> None:
    with psycopg.connect(owner) as conn:
        made = [create_tenant(conn, f"studio-{n}", f"Studio {n}") for n in range(tenants)]
    async with running_engine(runtime, MasterKey(bytes(32)), Metrics()) as running:
        await live(running.engine, made, events)


def _catch_up(dsn: str, runners: int) -> float:
    """Have processes catch up side by side; tell the seconds, without those of their start."""
    processes = [
        subprocess.Popen(  # noqa: S603 - this project's own module, no input from outside
            [sys.executable, "-m", "scripts.benchmarks.projecting", dsn],
            cwd=ROOT,
            env=environment({}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(runners)
    ]
    for process in processes:
        if process.stdout is None or process.stdout.readline() != "ready\n":
            raise BenchFailed("a runner did not start")
    started = time.perf_counter()
    for process in processes:
        if process.stdin is not None:
            process.stdin.close()
    statuses = [process.wait() for process in processes]
    if any(statuses):
        raise BenchFailed("a runner failed")
    return time.perf_counter() - started


def catch_up(dsn: str) -> None:
    """Be one runner: say "ready", wait until standard input ends, and catch up.

    Args:
        dsn: of the runtime.
    """

    async def run() -> None:
        pool = await open_pool(dsn, role="booking_projector", min_size=2, max_size=2)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)
        await ProjectionRunner(pool, ASYNCHRONOUS, tenants_at_once=1).catch_up()
        await pool.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


if __name__ == "__main__":
    typer.run(catch_up)
