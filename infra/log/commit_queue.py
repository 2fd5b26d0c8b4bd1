"""Group commit: commands wait here while the batch before them is on its way, then travel together.

No timer collects them: an idle engine commits at once, a busy one finds as many waiting as arrived
during the last flight. One tenant has at most one flight at a time, which keeps its commands in
order; ready tenants take turns with a quota each, so that one cannot starve the others. The queue
owns its flights: a caller that stops waiting cancels nothing, and every waiting future is resolved
whatever happens to the batch.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextvars import Context
from dataclasses import dataclass, field
from time import perf_counter
from typing import Protocol

import psycopg
import structlog

from domain.ids import TenantId
from infra.errors import CommandFailed, OutcomeUnknown, Overloaded, Unavailable
from infra.identity import new_id
from infra.log.append import AppendCommand, Outcome
from infra.postgres.lending_pool import first_line
from infra.telemetry.refrain import Refrain

log = structlog.get_logger(__name__)

_SWEEPS = 4  # within the time that a command may wait

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """How much may wait, and how much may travel together.

    Attributes:
        waiting_commands: over all tenants; one more is refused as overloaded.
        waiting_bytes: of encoded commands, over all tenants.
        tenant_commands: of one tenant; the rest of the room is kept for others.
        wait_seconds: a command that was not begun by then is given up.
        batch_commands: in one flight; what alone exceeds a batch's limits travels alone.
        batch_claims: in one flight.
        batch_bytes: in one flight.
        tenant_quota: of one tenant in a flight that others are ready for too.
        flights: batches on their way at once, each on a connection of its own.
    """

    waiting_commands: int = 4096
    waiting_bytes: int = 32 * 1024 * 1024
    tenant_commands: int = 3072
    wait_seconds: float = 5.0
    batch_commands: int = 128
    batch_claims: int = 256
    batch_bytes: int = 512 * 1024
    tenant_quota: int = 16
    flights: int = 2


@dataclass(slots=True, eq=False)
class Series:
    """Commands of one call, in an order that counts.

    They may travel apart, and none that comes later may be decided sooner: after one that must be
    decided again, so must they; after one that could not be decided, they are not.

    Attributes:
        series_id: for the log to know them by.
        broken_by: what became of the one that was not decided.
    """

    series_id: str = field(default_factory=lambda: str(new_id()))
    broken_by: Outcome | Unavailable | None = None


@dataclass(slots=True, eq=False)
class Waiting:
    """A command in the queue or on its way, and who waits for its outcome."""

    command: AppendCommand
    encoded: bytes
    since: float
    answer: asyncio.Future[Outcome]
    series: Series | None

    def resolve(self, outcome: Outcome) -> None:
        """Answers it, unless its caller has left."""
        if not self.answer.done():
            self.answer.set_result(outcome)

    def fail(self, error: Exception) -> None:
        """Answers it with an error, unless its caller has left."""
        if self.series is not None and isinstance(error, Unavailable):
            self.series.broken_by = error
        if not self.answer.done():
            self.answer.set_exception(error)
            self.answer.exception()  # told: a caller that has left need not make the loop complain


Batch = dict[TenantId, list[Waiting]]


class Door(Protocol):
    """Whoever takes a batch through `append_batch`, on a connection of its own each time."""

    async def append(self, batch: Batch) -> dict[TenantId, list[Outcome]]:
        """Sends the batch for the first time."""

    async def append_again(self, batch: Batch) -> dict[TenantId, list[Outcome]]:
        """Sends a batch whose answer was lost, and finds out which commands had been applied."""


class QueueObserver(Protocol):
    """Who is told what the queue does; the metrics are."""

    def committed(self, commands: int, seconds: float) -> None:
        """A flight has landed."""

    def decided(self, verdict: str) -> None:
        """A command got this outcome."""


class CommitQueue:
    """Collects commands and sends them to the log in batches."""

    def __init__(
        self, door: Door, observer: QueueObserver, clock: Clock, limits: QueueLimits | None = None
    ) -> None:
        """Makes an empty queue; it needs no starting.

        Args:
            door: takes batches to the log.
            observer: is told sizes, times and verdicts.
            clock: a monotonic clock, in seconds.
            limits: bounds; the defaults suit one process.
        """
        self._door = door
        self._observer = observer
        self._clock = clock
        self._limits = limits or QueueLimits()
        self._queues: dict[TenantId, deque[Waiting]] = {}
        self._ready: deque[TenantId] = (
            deque()
        )  # tenants with something waiting and nothing on its way
        self._flying: set[TenantId] = set()
        self._flights: set[asyncio.Task[None]] = set()
        self._commands = 0
        self._bytes = 0
        self._sweeper: asyncio.TimerHandle | None = None
        self._last_landing = clock()
        self._closed = False
        self._failure: Exception = Overloaded()
        self._failures = Refrain(self._tell_failures)

    def enqueue(
        self, tenant_id: TenantId, command: AppendCommand, series: Series | None = None
    ) -> "asyncio.Future[Outcome]":
        """Puts a command in its tenant's line; its place there is taken on return.

        Args:
            tenant_id: whose command it is.
            command: what was decided.
            series: of the call that it came in with others; None where it came alone.

        Returns:
            The outcome to come. It fails with `Unavailable` when nothing is known to be decided, or
            with `CommandFailed` when the database refuses this command; dropping it cancels
            nothing.

        Raises:
            Overloaded: the queue is full, for all or for this tenant, or closed.
        """
        encoded = command.encode(None if series is None else series.series_id)
        line = self._queues.get(tenant_id)
        if (
            self._closed
            or self._commands >= self._limits.waiting_commands
            or self._bytes + len(encoded) > self._limits.waiting_bytes
            or (line is not None and len(line) >= self._limits.tenant_commands)
        ):
            self._observer.decided("overloaded")
            raise Overloaded
        loop = asyncio.get_running_loop()
        waiting = Waiting(command, encoded, self._clock(), loop.create_future(), series)
        if line is None:
            line = self._queues[tenant_id] = deque()
        line.append(waiting)
        if self._sweeper is None:
            self._sweep_later()
        if len(line) == 1 and tenant_id not in self._flying:
            self._ready.append(tenant_id)
        self._count(1, len(encoded))
        if len(self._flights) < self._limits.flights:
            self._launch()
        return waiting.answer

    def waiting(self) -> int:
        """Tells how many commands wait to be sent."""
        return self._commands

    def stuck_for(self) -> float:
        """Tells for how many seconds no flight has landed although commands wait."""
        return self._clock() - self._last_landing if self._commands or self._flying else 0.0

    async def close(self) -> None:
        """Takes nothing more, and returns when all that waited is answered."""
        self._closed = True
        while self._flights:
            await asyncio.wait(tuple(self._flights))
        if self._sweeper is not None:
            self._sweeper.cancel()

    def _count(self, commands: int, size: int) -> None:
        if not self._commands and not self._flying:
            self._last_landing = self._clock()
        self._commands += commands
        self._bytes += size

    def _launch(self) -> None:
        # In a context of its own: its log lines are about a batch, not about whoever launched it.
        flight = asyncio.get_running_loop().create_task(self._fly(), context=Context())
        self._flights.add(flight)
        flight.add_done_callback(self._flights.discard)

    async def _fly(self) -> None:
        """Flies batches until nothing is ready.

        Whoever enqueues in the same turn of the loop still gets on board.
        """
        while batch := self._board():
            started = perf_counter()
            try:
                await self._deliver(batch)
            except Exception as error:  # whatever it is, those who wait must hear of it
                log.exception("commit_queue.flight_failed")
                for waiting in _passengers(batch):
                    waiting.fail(error)
            finally:
                self._land(batch, perf_counter() - started)

    def _board(self) -> Batch:
        """Takes what travels next: each ready tenant's turn, within the limits of a batch."""
        batch: Batch = {}
        commands = claims = size = 0
        quota = self._limits.tenant_quota if len(self._ready) > 1 else self._limits.batch_commands
        for tenant_id in tuple(self._ready):
            line = self._queues[tenant_id]
            self._give_up_late(line)
            taken: list[Waiting] = []
            while line and len(taken) < quota:
                next_ = line[0]
                fits = (
                    commands < self._limits.batch_commands
                    and claims + next_.command.claim_count <= self._limits.batch_claims
                    and size + len(next_.encoded) <= self._limits.batch_bytes
                )
                if commands and not fits:
                    break
                taken.append(line.popleft())
                commands += 1
                claims += next_.command.claim_count
                size += len(next_.encoded)
                self._count(-1, -len(next_.encoded))
            if taken:
                batch[tenant_id] = taken
                self._flying.add(tenant_id)
                self._ready.remove(tenant_id)
            elif not line:
                self._ready.remove(tenant_id)
                del self._queues[tenant_id]
            if commands >= self._limits.batch_commands or (line and not taken):
                break
        return batch

    def _give_up_late(self, line: deque[Waiting]) -> None:
        """Answers those that have waited too long: by now their callers should rather ask again."""
        oldest = self._clock() - self._limits.wait_seconds
        while line and line[0].since < oldest:
            late = line.popleft()
            self._count(-1, -len(late.encoded))
            self._observer.decided("overloaded")
            late.fail(Overloaded())

    def _sweep_later(self) -> None:
        pause = self._limits.wait_seconds / _SWEEPS
        self._sweeper = asyncio.get_running_loop().call_later(pause, self._sweep)

    def _sweep(self) -> None:
        """Answers late commands even while no flight takes off: all of them may be stuck."""
        self._sweeper = None
        before = self._commands
        for tenant_id, line in tuple(self._queues.items()):
            self._give_up_late(line)
            if not line and tenant_id not in self._flying:
                self._ready.remove(tenant_id)
                del self._queues[tenant_id]
        if before > self._commands:
            log.warning("commit_queue.given_up", commands=before - self._commands)
        if self._commands:
            self._sweep_later()

    def _land(self, batch: Batch, seconds: float) -> None:
        self._last_landing = self._clock()
        for tenant_id in batch:
            self._flying.discard(tenant_id)
            if self._queues[tenant_id]:
                self._ready.append(tenant_id)
            else:
                del self._queues[tenant_id]
        self._observer.committed(sum(map(len, batch.values())), seconds)

    async def _deliver(self, batch: Batch) -> None:
        """Gets every passenger an answer, and never lets neighbours pay for one command."""
        batch = self._without_broken_series(batch)
        if not batch:
            return
        try:
            try:
                outcomes = await self._door.append(batch)
            except OutcomeUnknown:
                log.warning("commit_queue.answer_lost", commands=sum(map(len, batch.values())))
                outcomes = await self._door.append_again(batch)
        except (Overloaded, OutcomeUnknown) as error:
            self._failure = error
            self._failures.due()
            for waiting in _passengers(batch):
                self._observer.decided("unavailable")
                waiting.fail(type(error)())
        except psycopg.Error as error:
            await self._bisect(batch, error)
        else:
            for tenant_id, passengers in batch.items():
                for waiting, outcome in zip(passengers, outcomes[tenant_id], strict=True):
                    self._observer.decided("replayed" if outcome.replayed else outcome.verdict)
                    if outcome.undecided and waiting.series is not None:
                        waiting.series.broken_by = outcome
                    waiting.resolve(outcome)

    def _without_broken_series(self, batch: Batch) -> Batch:
        """Answers those that came after one that was not decided, in an earlier flight."""
        flying: Batch = {}
        for tenant_id, passengers in batch.items():
            for waiting in passengers:
                if waiting.series is None or waiting.series.broken_by is None:
                    flying.setdefault(tenant_id, []).append(waiting)
                elif isinstance(waiting.series.broken_by, Outcome):
                    self._observer.decided(waiting.series.broken_by.verdict)
                    waiting.resolve(waiting.series.broken_by)
                else:
                    self._observer.decided("overloaded")
                    waiting.fail(Overloaded())
        return flying

    def _tell_failures(self, batches: int) -> None:
        log.warning(
            "commit_queue.batch_failed",
            error=type(self._failure).__name__,
            reason=first_line(self._failure.__cause__ or self._failure),
            batches=batches,
        )

    async def _bisect(self, batch: Batch, error: psycopg.Error) -> None:
        """Finds the one command that the database cannot take, and sends the others without it."""
        passengers = [(tenant_id, waiting) for tenant_id, line in batch.items() for waiting in line]
        if len(passengers) == 1:
            # The primary message names a rule, never the values that broke it; those could be
            # personal.
            log.error(
                "commit_queue.command_refused",
                sqlstate=error.sqlstate,
                reason=error.diag.message_primary,
            )
            self._observer.decided("failed")
            passengers[0][1].fail(CommandFailed(error.sqlstate or "unknown"))
            return
        middle = len(passengers) // 2
        await self._deliver(_as_batch(passengers[:middle]))
        await self._deliver(_as_batch(passengers[middle:]))


def _passengers(batch: Batch) -> list[Waiting]:
    return [waiting for line in batch.values() for waiting in line]


def _as_batch(passengers: Sequence[tuple[TenantId, Waiting]]) -> Batch:
    batch: Batch = {}
    for tenant_id, waiting in passengers:
        batch.setdefault(tenant_id, []).append(waiting)
    return batch
