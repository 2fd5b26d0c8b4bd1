"""Having the engine decide the rows of a file: in their order, in large slices."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import islice
from typing import Final, Protocol, TypeVar

from domain.commands import RegisterResource
from domain.errors import DomainError
from domain.ids import ResourceId
from infra.engine.requests import (
    Accepted,
    AtomicResult,
    Caller,
    Command,
    CommandRequest,
    Refused,
    Result,
)
from infra.errors import AlreadyExists, EngineError, OutcomeUnknown, Unavailable
from infra.importing.outcome import Counts, Problem, invalid, refused
from infra.importing.planning import InvalidRow, PlannedRow, registration

SLICE: Final = 256
"""Rows that are on their way at once; several batches of the commit queue."""

GROUP: Final = 64
"""Resources that are registered as one decision, which keeps nothing else waiting for long."""

STRIDE: Final = 16
"""Rows that are read at a stretch, while whatever else waits."""

AHEAD: Final = 4
"""Slices whose resources are got ready while one is being booked, so that the log never waits."""

PAUSES: Final = (1.0, 2.0, 4.0, 8.0, 15.0)
"""Seconds to wait before what could not be decided is sent again."""

MAX_KNOWN_NAMES: Final = 50_000
"""Names whose resource is remembered; then all are looked up anew."""


class Standing(Enum):
    """What stands, now that the command that makes it is decided."""

    NEW = "made by this run"
    FOUND = "there before"


Decision = Standing | DomainError | EngineError

_Item = TypeVar("_Item")


class ImportStopped(Exception):
    """The engine could not decide for too long; what was decided until then stands.

    Attributes:
        row: the first row that is not decided.
    """

    def __init__(self, row: int, error: DomainError | EngineError) -> None:
        """Name the row and why it could not be decided."""
        super().__init__(f"row {row} could not be decided ({type(error).__name__}: {error})")
        self.row = row


@dataclass(frozen=True, slots=True)
class _Slice:
    """Rows whose resources are there.

    Attributes:
        rows: in the order of the file; none behind its end.
        commands: to book what was planned of them.
        resource_ids: the resource of each name in them.
    """

    rows: Sequence[PlannedRow | InvalidRow]
    commands: Sequence[Command]
    resource_ids: Mapping[str, ResourceId]


class Decider(Protocol):
    """The part of the engine that an import needs."""

    async def execute_all(
        self, caller: Caller, requests: Sequence[CommandRequest]
    ) -> Sequence[Result]:
        """Decide the commands one by one, in their order."""
        ...

    async def execute_atomic(
        self, caller: Caller, requests: Sequence[CommandRequest]
    ) -> AtomicResult:
        """Decide the commands as one: all of them, or none."""
        ...


FindByNames = Callable[[Sequence[str]], Awaitable[Mapping[str, ResourceId]]]


class Importer:
    """Imports one file for one tenant."""

    def __init__(
        self,
        engine: Decider,
        caller: Caller,
        find_by_names: FindByNames,
        *,
        kind: str,
        timezone: str,
        counts: Counts,
        tell: Callable[[Problem], None],
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Prepare an import.

        Args:
            engine: decides.
            caller: for whom, and what to write into the log as the one who asked.
            find_by_names: looks up the tenant's resources by their exact names.
            kind: of the resources that have to be registered.
            timezone: of the same.
            counts: goes on counting what becomes of the rows, while it runs.
            tell: is told each row that is not imported, in their order.
            pause: waits that many seconds.
        """
        self._engine = engine
        self._caller = caller
        self._find_by_names = find_by_names
        self._kind = kind
        self._timezone = timezone
        self._counts = counts
        self._tell = tell
        self._pause = pause
        self._known: dict[str, ResourceId] = {}
        self._one_prepares = asyncio.Lock()

    async def run(self, rows: Iterable[PlannedRow | InvalidRow]) -> None:
        """Import the rows.

        Args:
            rows: in the order of the file, which they are decided in.

        Raises:
            ImportStopped: the engine could not decide for too long. Running the import again goes
                on from there, since what stands already is found.
        """
        remaining = iter(rows)
        ahead = deque(self._preparing(remaining) for _ in range(AHEAD))
        try:
            while (ready := await ahead.popleft()).rows:
                ahead.append(self._preparing(remaining))
                self._record(ready, await self._decide(ready.commands))
        finally:
            await _end(ahead)

    def _preparing(self, remaining: Iterator[PlannedRow | InvalidRow]) -> asyncio.Task[_Slice]:
        return asyncio.create_task(self._prepare(remaining))

    async def _prepare(self, remaining: Iterator[PlannedRow | InvalidRow]) -> _Slice:
        """Read the next rows, and get their resources ready; one slice after the other."""
        async with self._one_prepares:
            rows: list[PlannedRow | InvalidRow] = []
            for row in islice(remaining, SLICE):
                rows.append(row)
                if len(rows) % STRIDE == 0:
                    await asyncio.sleep(0)
            planned = [row for row in rows if isinstance(row, PlannedRow)]
            await self._know_resources(planned)
            resource_ids = {name: self._known[name] for row in planned for name in row.names}
            return _Slice(rows, [row.command(resource_ids) for row in planned], resource_ids)

    async def _know_resources(self, planned: Sequence[PlannedRow]) -> None:
        """Find the resources that the rows name; register those that are new."""
        if len(self._known) > MAX_KNOWN_NAMES:
            self._known.clear()
        named = dict.fromkeys(name for row in planned for name in row.names)
        for names in _batched([name for name in named if name not in self._known], SLICE):
            self._known.update(await self._look_up(names, planned[0].row))
            new = [
                registration(self._caller.tenant_id, name, kind=self._kind, timezone=self._timezone)
                for name in names
                if name not in self._known
            ]
            for command, decision in zip(new, await self._register(new), strict=True):
                match decision:
                    case Standing.NEW:
                        self._counts.resources += 1
                    case Standing.FOUND:
                        pass  # another import was faster, or it was renamed: it is the same one
                    case error:
                        raise ImportStopped(planned[0].row, error)
                self._known[command.name] = command.resource_id

    async def _register(self, new: Sequence[RegisterResource]) -> list[Decision]:
        groups: list[asyncio.Task[list[Decision]]] = []
        try:
            for group in _batched(new, GROUP):
                groups.append(asyncio.create_task(self._register_group(group)))
                await asyncio.sleep(0)  # what has come back meanwhile goes first
            return [decision for group in groups for decision in await group]
        finally:
            await _end(groups)

    async def _register_group(self, group: Sequence[RegisterResource]) -> list[Decision]:
        """Register all as one decision, which costs half as much; if refused, one by one."""
        together = await self._engine.execute_atomic(
            self._caller, [CommandRequest(command) for command in group]
        )
        if not isinstance(together, Refused):
            return [Standing.NEW for _ in group]
        decisions = await self._decide(group)
        if isinstance(together.error, OutcomeUnknown):  # what is there now, this run has made
            return [Standing.NEW if made is Standing.FOUND else made for made in decisions]
        return decisions

    async def _look_up(self, names: Sequence[str], row: int) -> Mapping[str, ResourceId]:
        for pause in PAUSES:
            try:
                return await self._find_by_names(names)
            except Unavailable:  # the next attempt tells, or the last one
                await self._pause(pause)
        try:
            return await self._find_by_names(names)
        except Unavailable as error:
            raise ImportStopped(row, error) from error

    async def _decide(self, commands: Sequence[Command]) -> list[Decision]:
        """Have commands decided; those that could not be are sent again, a few times."""
        decisions = await self._send(commands)
        for pause in PAUSES:
            undecided = [at for at, made in enumerate(decisions) if isinstance(made, Unavailable)]
            if not undecided:
                break
            await self._pause(pause)
            again = await self._send([commands[place] for place in undecided])
            for place, decision in zip(undecided, again, strict=True):
                # An answer was lost, but not what it told of: this run has made it after all.
                lost = isinstance(decisions[place], OutcomeUnknown) and decision is Standing.FOUND
                decisions[place] = Standing.NEW if lost else decision
        return decisions

    async def _send(self, commands: Sequence[Command]) -> list[Decision]:
        if not commands:
            return []
        requests = [CommandRequest(command) for command in commands]
        return [
            _decision(result) for result in await self._engine.execute_all(self._caller, requests)
        ]

    def _record(self, done: _Slice, decisions: Sequence[Decision]) -> None:
        """Count what became of the rows, and tell the problems, in the order of the file."""
        stopped: ImportStopped | None = None
        decided = iter(decisions)
        for row in done.rows:
            if isinstance(row, InvalidRow):
                self._counts.invalid += 1
                self._tell(invalid(row))
                continue
            match next(decided):
                case Standing.NEW:
                    self._counts.imported += 1
                case Standing.FOUND:
                    self._counts.already_imported += 1
                case Unavailable() as error:
                    stopped = stopped or ImportStopped(row.row, error)
                case error:
                    self._counts.refused += 1
                    self._tell(refused(row, error, done.resource_ids))
        if stopped is not None:
            raise stopped


async def _end(tasks: Collection[asyncio.Task[_Item]]) -> None:
    """Leave none of them running, and none unheard."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _decision(result: Result) -> Decision:
    match result:
        case Accepted():
            return Standing.NEW
        case Refused(error=AlreadyExists()):
            return Standing.FOUND
        case Refused(error=error):
            return error


def _batched(items: Sequence[_Item], most: int) -> Iterator[Sequence[_Item]]:
    for start in range(0, len(items), most):
        yield items[start : start + most]
