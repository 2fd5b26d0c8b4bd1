"""The write benchmark: bookings through this API and its engine, and what they are compared with.

Each round loads each of them in turn, so that whatever slows the machine for a while slows all of
them. The databases are counted after every load: a booking that was answered and is not there, or
is there and was not answered, ends the benchmark.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import count, cycle, islice

from infra.postgres.embedded import DATABASE
from scripts.benchmarks import databases
from scripts.benchmarks.load import Answered, Load, send
from scripts.benchmarks.processor_time import ProcessorTime, processor_time
from scripts.benchmarks.requests import bookings
from scripts.benchmarks.servers import figures
from scripts.benchmarks.subjects import (
    AT_HALF_RATE,
    DATABASES,
    OF_THIS_API,
    REFUSED,
    Kind,
    Plan,
    Subjects,
    set_up,
)

WARM_UP_SECONDS = 1.0

_CREATED, _CONFLICT = 201, 409
_BATCHES, _COMMANDS = "booking_commit_batch_commands_count", "booking_commit_batch_commands_sum"
_COMMIT_SECONDS = "booking_commit_seconds_sum"

Say = Callable[[str], None]


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
    """Runs the benchmark: some seconds to set up, then a load of each kind a round.

    Args:
        plan: how.
        say: takes a line of progress.

    Returns:
        What was found.

    Raises:
        BenchFailed: an answer, a count or a server is not as it must be.
    """
    with set_up(plan) as subjects:
        bench = _Bench(plan, subjects)
        for kind in Kind:
            if kind not in REFUSED and kind not in AT_HALF_RATE:
                bench.load(kind, WARM_UP_SECONDS)
        loads: list[Measured] = []
        for number in range(1, plan.rounds + 1):
            for kind in Kind:
                loads.append(bench.load(kind, plan.seconds))
                say(f"round {number}: {kind.value:<20}{loads[-1].answered.rate:8,.0f} bookings/s")
        return Findings(databases.server_version(subjects.postgres), loads)


@dataclass
class _Bench:
    """The running subjects, how many bookings each database has taken, and how fast a last was."""

    plan: Plan
    subjects: Subjects
    booked: dict[str, int] = field(default_factory=lambda: dict.fromkeys(DATABASES.values(), 0))
    rate: float = 0.0

    def load(self, kind: Kind, seconds: float) -> Measured:
        """Loads one of them, and checks what the databases hold afterwards."""
        subjects = self.subjects
        worker = subjects.workers.get(kind)
        measured = worker or subjects.servers[kind]
        commits_before = self._commits(kind)
        before = processor_time(measured.process_id, subjects.postmaster)
        answered = worker.load(seconds) if worker else self._send(kind, seconds)
        after = processor_time(measured.process_id, subjects.postmaster)
        commits_after = self._commits(kind)
        database = DATABASE if kind is Kind.HALF else DATABASES.get(kind)
        if database is not None:
            self.booked[database] += answered.count
        for checked, expected in self.booked.items():
            databases.check_booked(subjects.postgres, checked, expected)
        if kind is Kind.API:
            self.rate = answered.rate
        return Measured(
            kind,
            answered,
            None if before is None or after is None else after.since(before),
            _between(commits_before, commits_after),
        )

    def _send(self, kind: Kind, seconds: float) -> Answered:
        load = Load(
            requests=bookings(self._numbers(kind), self.subjects.places),
            expected=_CONFLICT if kind in REFUSED else _CREATED,
            connections=self.plan.connections,
            seconds=seconds,
            rate=self.rate / 2 if kind in AT_HALF_RATE else None,
        )
        return send(load, self.subjects.servers[kind])

    def _numbers(self, kind: Kind) -> Iterable[int]:
        if kind in REFUSED:  # what is booked already, again and again
            return cycle(range(self.booked[DATABASE]))
        return islice(count(), self.booked[DATABASES.get(kind, DATABASE)], None)

    def _commits(self, kind: Kind) -> Commits | None:
        if kind not in OF_THIS_API:
            return None
        found = figures(self.subjects.servers[kind], self.subjects.places[0].api_key)
        return Commits(found[_COMMANDS], found[_BATCHES], found[_COMMIT_SECONDS])


def _between(before: Commits | None, after: Commits | None) -> Commits | None:
    if before is None or after is None:
        return None
    return Commits(
        after.commands - before.commands,
        after.batches - before.batches,
        after.seconds - before.seconds,
    )
