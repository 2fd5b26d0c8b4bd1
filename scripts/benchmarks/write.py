"""The write benchmark: bookings through this API, through plain CRUD, and validated only.

Each round loads each server in turn, so that whatever slows the machine for a while slows all of
them. The databases are counted after every load: a booking that was answered and is not there, or
is there and was not answered, ends the benchmark.
"""

import secrets
import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from enum import Enum
from itertools import count, cycle, islice
from pathlib import Path

from infra.postgres.embedded import EmbeddedPostgres
from scripts.benchmarks import databases
from scripts.benchmarks.load import Answered, Load, send
from scripts.benchmarks.peers import Peer
from scripts.benchmarks.processor_time import ProcessorTime, processor_time
from scripts.benchmarks.requests import Place, bookings, registrations
from scripts.benchmarks.servers import Server, figures, running

RESOURCES = 1000
WARM_UP_SECONDS = 1.0

_CREATED, _CONFLICT = 201, 409
_BATCHES, _COMMANDS = "booking_commit_batch_commands_count", "booking_commit_batch_commands_sum"
_COMMIT_SECONDS = "booking_commit_seconds_sum"

Say = Callable[[str], None]


class Kind(Enum):
    """What is measured."""

    API = "a  this API"
    CRUD = "c  plain CRUD"
    VALIDATION = "b  validation only"
    REFUSED = "a  refused (409)"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How it is measured.

    Attributes:
        seconds: of each load.
        rounds: how often each kind is loaded.
        connections: clients at once.
        tenants: among whom the resources are spread.
        crud_pool: database connections of plain CRUD.
    """

    seconds: float
    rounds: int
    connections: int
    tenants: int
    crud_pool: int


@dataclass(frozen=True)
class Commits:
    """What this API committed together during a load."""

    commands: float
    batches: float
    seconds: float


@dataclass(frozen=True)
class Measured:
    """One load of one kind.

    Attributes:
        kind: what was measured.
        answered: the answers.
        used: processor time meanwhile; None where the system does not tell.
        commits: of this API only.
    """

    kind: Kind
    answered: Answered
    used: ProcessorTime | None
    commits: Commits | None


@dataclass(frozen=True)
class Findings:
    """All loads, in their order; those of a kind are one for each round.

    Attributes:
        postgres: the database server's version.
        loads: what was measured.
    """

    postgres: str
    loads: Sequence[Measured]


def measure(plan: Plan, say: Say) -> Findings:
    """Runs the benchmark: some seconds to set up, then four loads a round.

    Args:
        plan: how.
        say: takes a line of progress.

    Returns:
        What was found.

    Raises:
        BenchFailed: an answer, a count or a server is not as it must be.
    """
    with ExitStack() as parts:
        directory = Path(parts.enter_context(tempfile.TemporaryDirectory(prefix="booking-bench-")))
        directory.chmod(0o711)  # run by root, PostgreSQL works as another user
        # The product joins this server, since it is in the place where its own would be.
        postgres = parts.enter_context(EmbeddedPostgres(directory / "postgres"))
        bench = _set_up(plan, postgres, directory, parts)
        for kind in (Kind.API, Kind.CRUD, Kind.VALIDATION):
            bench.load(kind, WARM_UP_SECONDS)
        loads: list[Measured] = []
        for number in range(1, plan.rounds + 1):
            for kind in Kind:
                loads.append(bench.load(kind, plan.seconds))
                say(f"round {number}: {kind.value:<20}{loads[-1].answered.rate:8,.0f} requests/s")
        return Findings(databases.server_version(postgres), loads)


def _set_up(plan: Plan, postgres: EmbeddedPostgres, directory: Path, parts: ExitStack) -> "_Bench":
    settings = {
        "BOOKING_DATA_DIR": str(directory),
        "BOOKING_MASTER_KEY": secrets.token_hex(32),
        "LOG_LEVEL": "WARNING",
    }
    serve = ["serve", "--port", "0", "--workers", "1"]
    api = parts.enter_context(
        running("this API", "api.cli", serve, settings, directory / "api.log")
    )
    dsn = databases.make_plain_database(postgres)

    def peer(kind: Peer, connections: int) -> Server:
        module, arguments = "scripts.benchmarks.peers", [kind.value, dsn, str(connections)]
        log = directory / f"{kind.value}.log"
        return parts.enter_context(running(kind.value, module, arguments, {}, log))

    crud = peer(Peer.PLAIN_CRUD, plan.crud_pool)
    validation = peer(Peer.VALIDATE_ONLY, 1)
    api_keys = {f"bench-{number}": secrets.token_hex(16) for number in range(plan.tenants)}
    databases.admit(postgres, api_keys)
    requests = registrations(RESOURCES, list(api_keys.values()))
    send(Load(requests, _CREATED, plan.connections), api)
    return _Bench(
        plan=plan,
        postgres=postgres,
        postmaster=int((directory / "postgres/cluster/postmaster.pid").read_text().split()[0]),
        servers={
            Kind.API: api,
            Kind.CRUD: crud,
            Kind.VALIDATION: validation,
            Kind.REFUSED: api,
        },
        places=databases.places(postgres, api_keys),
    )


@dataclass
class _Bench:
    """The running servers, and how many bookings each has taken so far."""

    plan: Plan
    postgres: EmbeddedPostgres
    postmaster: int
    servers: dict[Kind, Server]
    places: Sequence[Place]
    booked: dict[Kind, int] = field(default_factory=lambda: dict.fromkeys(Kind, 0))

    def load(self, kind: Kind, seconds: float) -> Measured:
        """Loads one server, and checks what its database holds afterwards."""
        server = self.servers[kind]
        expected = _CONFLICT if kind is Kind.REFUSED else _CREATED
        requests = bookings(self._numbers(kind), self.places)
        commits_before = self._commits(kind)
        before = processor_time(server.process_id, self.postmaster)
        answered = send(Load(requests, expected, self.plan.connections, seconds), server)
        after = processor_time(server.process_id, self.postmaster)
        commits_after = self._commits(kind)
        if expected == _CREATED:
            self.booked[kind] += answered.count
        databases.check_booked(self.postgres, self.booked[Kind.API])
        databases.check_plainly_booked(self.postgres, self.booked[Kind.CRUD])
        return Measured(
            kind,
            answered,
            None if before is None or after is None else after.since(before),
            _between(commits_before, commits_after),
        )

    def _numbers(self, kind: Kind) -> Iterable[int]:
        if kind is Kind.REFUSED:  # what is booked already, again and again
            return cycle(range(self.booked[Kind.API]))
        return islice(count(), self.booked[kind], None)

    def _commits(self, kind: Kind) -> Commits | None:
        if kind not in (Kind.API, Kind.REFUSED):
            return None
        found = figures(self.servers[kind], self.places[0].api_key)
        return Commits(found[_COMMANDS], found[_BATCHES], found[_COMMIT_SECONDS])


def _between(before: Commits | None, after: Commits | None) -> Commits | None:
    if before is None or after is None:
        return None
    return Commits(
        after.commands - before.commands,
        after.batches - before.batches,
        after.seconds - before.seconds,
    )
