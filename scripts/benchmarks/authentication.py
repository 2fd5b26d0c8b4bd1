"""The benchmark of authentication: what it adds to the time of a command.

The same bookings through one server and one tenant, by callers with API keys, by callers with
session tokens, and by one whom the server knows without looking. Each round loads all three, and
begins with another one each time, so that whatever slows the machine slows all of them.
"""

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from itertools import count, islice
from pathlib import Path
from statistics import median

import psycopg

from infra.access import create_api_key
from infra.postgres.embedded import DATABASE, MIGRATOR, RUNTIME, EmbeddedPostgres
from infra.postgres.migrator import migrate
from scripts.benchmarks import databases
from scripts.benchmarks.known_caller import KNOWN
from scripts.benchmarks.load import Answered, Load, send
from scripts.benchmarks.processor_time import processor_time
from scripts.benchmarks.report import QUIET_CORES
from scripts.benchmarks.requests import Place, bookings, registrations
from scripts.benchmarks.servers import Server, running
from scripts.benchmarks.subjects import RESOURCES, own_postgres
from scripts.benchmarks.token_issuer import serving_issuer

CALLERS = 64
"""Keys, and users with a token each: what is remembered of one of them is looked up again."""

_STUDIO = "bench"
_CREATED = 201
_WARM_UP_SECONDS = 1.0
_TARGET = 1.10

Say = Callable[[str], None]


class Caller(Enum):
    """Who books."""

    KNOWN = "known without looking"
    KEY = "API key"
    TOKEN = "session token"  # noqa: S105 - its name


@dataclass(frozen=True)
class Booked:
    """One load.

    Attributes:
        answered: the answers.
        server_ms: processor time of the server for each; None where the system does not tell.
        others: cores that other programs kept busy meanwhile.
    """

    answered: Answered
    server_ms: float | None
    others: float

    @property
    def command_ms(self) -> float:
        """The time of a command: from one answer to the next."""
        return 1000 / self.answered.rate


@dataclass
class _Bench:
    """The running server, and how many bookings it has taken."""

    postgres: EmbeddedPostgres
    postmaster: int
    server: Server
    places: Mapping[Caller, Sequence[Place]]
    connections: int
    booked: int = field(default=0)

    def load(self, caller: Caller, seconds: float) -> Booked:
        """Loads it, and checks what the database holds afterwards."""
        requests = bookings(islice(count(), self.booked, None), self.places[caller])
        before = processor_time(self.server.process_id, self.postmaster)
        answered = send(Load(requests, _CREATED, self.connections, seconds), self.server)
        after = processor_time(self.server.process_id, self.postmaster)
        self.booked += answered.count
        databases.check_booked(self.postgres, DATABASE, self.booked)
        if before is None or after is None:
            return Booked(answered, None, 0.0)
        used = after.since(before)
        ours = used.server + used.postgres + answered.generator_seconds
        return Booked(
            answered,
            used.server / answered.count * 1000,
            max(0.0, used.machine - ours) / answered.seconds,
        )


def measure_authentication(
    seconds: float, rounds: int, connections: int, say: Say
) -> Mapping[Caller, Sequence[Booked]]:
    """Runs the benchmark.

    Args:
        seconds: of each load.
        rounds: how often each is measured.
        connections: clients at once.
        say: takes a line of progress.

    Returns:
        The loads of each caller, one a round.

    Raises:
        BenchFailed: an answer, a count or a server is not as it must be.
    """
    found: dict[Caller, list[Booked]] = {caller: [] for caller in Caller}
    callers = list(Caller)
    with _set_up(connections) as bench:
        for caller in callers:
            bench.load(caller, _WARM_UP_SECONDS)
        for number in range(rounds):
            first = number % len(callers)
            for caller in callers[first:] + callers[:first]:
                booked = bench.load(caller, seconds)
                found[caller].append(booked)
                say(
                    f"round {number + 1}: {caller.value:<24}{booked.answered.rate:8,.0f} bookings/s"
                )
    return found


@contextmanager
def _set_up(connections: int) -> Iterator[_Bench]:
    with own_postgres() as (postgres, directory), serving_issuer() as issuer:
        migrate(postgres.dsn(MIGRATOR))
        arguments = [postgres.dsn(RUNTIME), issuer.address]
        log = directory / "api.log"
        module = "scripts.benchmarks.known_caller"
        with running("this API", module, arguments, {}, log) as server:
            tokens = [issuer.token(f"user_{number}", _STUDIO) for number in range(CALLERS)]
            # The first sign-in makes the tenant, of which the keys are then.
            send(Load(registrations(RESOURCES, tokens[:1]), _CREATED, 1), server)
            keys = _make_keys(postgres)
            yield _Bench(
                postgres=postgres,
                postmaster=_process_id(directory),
                server=server,
                places={
                    Caller.KNOWN: _places(postgres, [KNOWN]),
                    Caller.KEY: _places(postgres, keys),
                    Caller.TOKEN: _places(postgres, tokens),
                },
                connections=connections,
            )


def _make_keys(postgres: EmbeddedPostgres) -> list[str]:
    with psycopg.connect(postgres.dsn(MIGRATOR)) as conn:
        keys = [secrets.token_hex(16) for _ in range(CALLERS)]
        return [create_api_key(conn, _STUDIO, "admin", key=key) for key in keys]


def _places(postgres: EmbeddedPostgres, credentials: Sequence[str]) -> Sequence[Place]:
    found = databases.places(postgres, {_STUDIO: ""})
    return [
        Place(place.resource_id, credentials[number % len(credentials)])
        for number, place in enumerate(found)
    ]


def _process_id(directory: Path) -> int:
    return int((directory / "postgres/cluster/postmaster.pid").read_text().split()[0])


def report_authentication(found: Mapping[Caller, Sequence[Booked]]) -> str:
    """Tells the findings.

    Args:
        found: the loads of each caller.

    Returns:
        Lines for people.
    """
    lines = [f"{'':<24}{'bookings/s':>11}{'ms each':>9}{'p50 ms':>8}{'processor ms of server':>24}"]
    for caller, loads in found.items():
        told = [load.server_ms for load in loads if load.server_ms is not None]
        lines.append(
            f"{caller.value:<24}{median(load.answered.rate for load in loads):11,.0f}"
            f"{median(load.command_ms for load in loads):9.3f}"
            f"{median(load.answered.latency(0.5) for load in loads) * 1000:8.1f}"
            f"{f'{median(told):.3f}' if told else '':>24}"
        )
    lines.append("")
    for caller in (Caller.KEY, Caller.TOKEN):
        lines += _ratios(caller, found)
    others = median(load.others for loads in found.values() for load in loads)
    if others > QUIET_CORES:
        lines.append(f"Other programs kept {others:.1f} cores busy: repeat it when it is quiet.")
    return "\n".join(lines)


def _ratios(caller: Caller, found: Mapping[Caller, Sequence[Booked]]) -> Iterator[str]:
    these, those = found[caller], found[Caller.KNOWN]
    times = [this.command_ms / that.command_ms for this, that in zip(these, those, strict=True)]
    yield (
        f"{caller.value + ' / known, time of a command':<48}{median(times):5.2f}   "
        f"target < {_TARGET:.2f}   (by round: {', '.join(f'{time:.2f}' for time in times)})"
    )
    used = [
        this.server_ms / that.server_ms
        for this, that in zip(these, those, strict=True)
        if this.server_ms is not None and that.server_ms
    ]
    if used:
        yield (
            f"{caller.value + ' / known, processor time of the server':<48}{median(used):5.2f}   "
            f"{'':17}(by round: {', '.join(f'{time:.2f}' for time in used)})"
        )
