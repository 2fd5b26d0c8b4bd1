"""How fast projections catch up with a long log of many tenants: each, all of them, two runners.

Beside them, in the same rounds, the library's own runner, which takes one event after the other.
"""

import asyncio
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg
import structlog
import typer
import uvloop
from psycopg.sql import SQL, Identifier

from infra.access import create_tenant
from infra.engine import running_engine
from infra.master_key import MasterKey
from infra.postgres.embedded import MIGRATOR, RUNTIME, SUPERUSER, EmbeddedPostgres
from infra.postgres.migrator import migrate
from infra.postgres.pool import open_pool
from infra.projecting import ProjectionRunner
from infra.telemetry.metrics import Metrics
from projections.catalogue import ASYNCHRONOUS
from scripts.benchmarks.failure import BenchFailed
from scripts.benchmarks.library_projection import library_catches_up
from scripts.benchmarks.many_lives import live
from scripts.benchmarks.servers import ROOT, environment

_STANDING = """
    select count(*) filter (where checkpoint.seq = head.seq and is_live), count(*)
      from booking.projection_checkpoint checkpoint
      join booking.tenant_head head using (tenant_id)
"""
FIRST = ASYNCHRONOUS[0].name
LIBRARY = "eventsourcing"
EVENTS_OF_THE_LIBRARY = 5000
"""It takes them one by one: its rate does not depend on how many there are."""


@dataclass(frozen=True)
class CaughtUp:
    """How fast a log was projected.

    Attributes:
        projections: into which.
        runners: processes side by side.
        rate: events a second.
        memory: of the largest runner, in MB; 0 if it was not measured.
    """

    projections: str
    runners: int
    rate: float
    memory: int = 0


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
        with psycopg.connect(postgres.dsn(SUPERUSER), autocommit=True) as conn:
            conn.execute("vacuum analyze")
            [(made,)] = conn.execute("select sum(seq)::bigint from booking.tenant_head").fetchall()
            found: list[CaughtUp] = []
            for number in range(rounds):
                for names, runners in _loads():
                    _forget(conn)
                    seconds, memory = _catch_up(runtime, names, runners)
                    [(there, wanted)] = conn.execute(_STANDING).fetchall()
                    if not there == wanted == tenants * len(names):
                        raise BenchFailed(f"{there} of {wanted} checkpoints are at the head")
                    found.append(CaughtUp(_joined(names), runners, made / seconds, memory))
                    progress(_line(found[-1]))
                found.append(_library(postgres, conn, f"library_{number}"))
                progress(_line(found[-1]))
        return found


def report_projecting(found: list[CaughtUp]) -> str:
    """Say what came of it, the median of the rounds of each.

    Args:
        found: all rounds.
    """
    loads = dict.fromkeys((each.projections, each.runners) for each in found)
    median = {load: _median([each for each in found if _load(each) == load]) for load in loads}
    one, two = median[FIRST, 1].rate, median[FIRST, 2].rate
    ratios = [
        f"{FIRST}, two runners to one {two / one:>23.2f}   target ≥ 1.7",
        f"{FIRST}, one runner to {LIBRARY}'s {one / median[LIBRARY, 1].rate:>14.1f}   target ≥ 15",
    ]
    return "\n".join([*[_line(each) for each in median.values()], *ratios])


def _loads() -> Iterator[tuple[Sequence[str], int]]:
    names = [projection.name for projection in ASYNCHRONOUS]
    for name in names:
        yield [name], 1
    yield [FIRST], 2
    if len(names) > 1:
        yield names, 1
        yield names, 2


def _load(each: CaughtUp) -> tuple[str, int]:
    return each.projections, each.runners


def _median(rounds: Sequence[CaughtUp]) -> CaughtUp:
    return sorted(rounds, key=lambda each: each.rate)[(len(rounds) - 1) // 2]


def _joined(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"all {len(names)}"


def _line(each: CaughtUp) -> str:
    runners = "1 runner" if each.runners == 1 else f"{each.runners} runners"
    memory = f"   {each.memory} MB" if each.memory else ""
    return f"{each.projections:<24}{runners:<10}{each.rate:>12,.0f} events/s{memory}"


def _forget(conn: psycopg.Connection) -> None:
    """Leave the tables as they are before the first projection, and as empty."""
    for projection in ASYNCHRONOUS:
        for table in projection.tables:
            conn.execute(SQL("truncate booking.{}").format(Identifier(table)))
    conn.execute("truncate booking.projection_checkpoint")
    conn.execute("checkpoint")  # what one load has written is not written out in the next


def _library(postgres: EmbeddedPostgres, conn: psycopg.Connection, database: str) -> CaughtUp:
    names = Identifier(database), Identifier(MIGRATOR)
    conn.execute(SQL("create database {} owner {}").format(*names))
    seconds = library_catches_up(postgres.dsn(MIGRATOR, database=database), EVENTS_OF_THE_LIBRARY)
    return CaughtUp(LIBRARY, 1, EVENTS_OF_THE_LIBRARY / seconds)


async def _make(owner: str, runtime: str, events: int, tenants: int) -> None:
    with psycopg.connect(owner) as conn:
        made = [create_tenant(conn, f"studio-{n}", f"Studio {n}") for n in range(tenants)]
    async with running_engine(runtime, MasterKey(bytes(32)), Metrics()) as running:
        await live(running.engine, made, events)


def _catch_up(dsn: str, names: Sequence[str], runners: int) -> tuple[float, int]:
    """Have processes catch up side by side; tell the seconds, and the memory of the largest, in MB.

    What a process takes to begin and to end is not counted.
    """
    processes = [
        subprocess.Popen(  # noqa: S603 - this project's own module, no input from outside
            [sys.executable, "-m", "scripts.benchmarks.projecting", dsn, *names],
            cwd=ROOT,
            env=environment({}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(runners)
    ]
    for process in processes:
        _heard(process, "ready")
    started = time.perf_counter()
    for process in processes:
        if process.stdin is not None:
            process.stdin.close()
    for process in processes:
        _heard(process, "done")
    seconds = time.perf_counter() - started
    memory = max(int(_next_word(process)) for process in processes)
    if sum(process.wait() for process in processes):
        raise BenchFailed("a runner failed")
    return seconds, memory


def _heard(process: "subprocess.Popen[str]", word: str) -> None:
    if _next_word(process) != word:
        raise BenchFailed(f"a runner did not say {word!r}")


def _next_word(process: "subprocess.Popen[str]") -> str:
    return process.stdout.readline().strip() if process.stdout is not None else ""


def catch_up(dsn: str, names: list[str]) -> None:
    """Be one runner: say "ready", wait until standard input ends, catch up, say "done".

    Args:
        dsn: of the runtime.
        names: of the projections.
    """
    projections = [projection for projection in ASYNCHRONOUS if projection.name in names]

    async def run() -> None:
        pool = await open_pool(dsn, role="booking_projector", min_size=2, max_size=2)
        _say("ready")
        await asyncio.to_thread(sys.stdin.read)
        await ProjectionRunner(pool, projections, tenants_at_once=1).catch_up()
        _say("done")
        await pool.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())
    _say(str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024))


def _say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    typer.run(catch_up)
