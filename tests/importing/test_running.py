"""What an import does while the engine cannot decide: patience, and an end to it."""

import asyncio
import io
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import cast
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from domain.booking import Booking
from domain.commands import Book, RegisterResource
from domain.ids import ResourceId, TenantId
from infra.engine import Accepted, AtomicResult, Caller, Command, CommandRequest, Refused, Result
from infra.errors import (
    AlreadyExists,
    CommandFailed,
    Contended,
    EngineError,
    OutcomeUnknown,
    Overloaded,
    Unavailable,
)
from infra.importing import running
from infra.importing.outcome import Counts, Problem
from infra.importing.planning import Planner, TableForm
from infra.importing.reading import CsvFile, decoded
from infra.importing.running import PAUSES, Importer, ImportStopped

TENANT = TenantId(UUID(int=7))
FORM = TableForm(title="t", resources="r", starts="from", ends="to", zone=ZoneInfo("UTC"))
TABLE = "t,r,from,to\n" + "".join(
    f"Take {hour},Stage,2027-01-01T{hour:02}:00Z,2027-01-01T{hour + 1:02}:00Z\n"
    for hour in range(5)
)
DONE = Accepted(
    aggregate=cast("Booking", None),  # an import asks for no more than that it was accepted
    customer=None,
    position=1,
    created_at=datetime(2027, 1, 1, tzinfo=UTC),
    updated_at=datetime(2027, 1, 1, tzinfo=UTC),
    as_of=1,
)


class Flaky:
    """An engine that answers a command, at its nth sending, with what it is told to."""

    def __init__(self, answer: Callable[[Command, int], EngineError | None]) -> None:
        self.answer = answer
        self.sent: list[Command] = []

    async def execute_all(
        self, caller: Caller, requests: Sequence[CommandRequest]
    ) -> Sequence[Result]:
        assert caller.tenant_id == TENANT
        results: list[Result] = []
        for request in requests:
            self.sent.append(request.command)
            error = self.answer(request.command, self.sent.count(request.command))
            results.append(DONE if error is None else Refused(error, caller.request_id))
        return results

    async def execute_atomic(
        self, caller: Caller, requests: Sequence[CommandRequest]
    ) -> AtomicResult:
        results = await self.execute_all(caller, requests)
        refused = [result for result in results if isinstance(result, Refused)]
        return refused[0] if refused else [DONE for _ in results]


class Import:
    """One import of TABLE with a flaky engine, that does not really wait."""

    def __init__(self, answer: Callable[[Command, int], EngineError | None]) -> None:
        self.engine = Flaky(answer)
        self.pauses: list[float] = []
        self.problems: list[Problem] = []
        self.counts = Counts()
        self.lookups = 0
        self.failing_lookups = 0
        self.importer = Importer(
            self.engine,
            Caller(TENANT, "import", "import-1"),
            self.find,
            kind="imported",
            timezone="UTC",
            counts=self.counts,
            tell=self.problems.append,
            pause=self.pause,
        )

    async def find(self, names: Sequence[str]) -> Mapping[str, ResourceId]:
        assert names == ["Stage"]
        self.lookups += 1
        if self.lookups <= self.failing_lookups:
            raise Overloaded
        return {}

    async def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)

    async def run(self) -> Counts:
        table = CsvFile(decoded(io.BytesIO(TABLE.encode())))
        await self.importer.run(Planner(FORM, table).rows(TENANT))
        return self.counts


def is_take(command: Command, number: int) -> bool:
    return isinstance(command, Book) and command.title == f"Take {number}"


@pytest.mark.parametrize("error", [Overloaded(), Contended(), OutcomeUnknown()])
async def test_what_could_not_be_decided_is_sent_again_and_nothing_else(error: Unavailable) -> None:
    flaky = Import(lambda command, time: error if is_take(command, 2) and time < 3 else None)

    assert await flaky.run() == Counts(imported=5, resources=1)
    assert flaky.pauses == list(PAUSES[:2])
    assert [flaky.engine.sent.count(command) for command in flaky.engine.sent[-2:]] == [3, 3]
    assert len(flaky.engine.sent) == 1 + 5 + 2


async def test_an_import_stops_where_patience_ends_and_counts_what_is_decided() -> None:
    flaky = Import(lambda command, _: Overloaded() if is_take(command, 2) else None)

    with pytest.raises(ImportStopped, match=r"row 3 could not be decided \(Overloaded") as stopped:
        await flaky.run()

    assert stopped.value.row == 3
    assert flaky.pauses == list(PAUSES)
    assert flaky.counts == Counts(imported=4, resources=1)
    assert flaky.problems == []


async def test_a_lost_answer_that_told_of_success_counts_as_this_runs() -> None:
    def answer(command: Command, time: int) -> EngineError | None:
        if is_take(command, 1) or isinstance(command, RegisterResource):
            if time == 1:
                return OutcomeUnknown()
            return AlreadyExists("booking", UUID(int=1))
        return AlreadyExists("booking", UUID(int=2)) if is_take(command, 2) else None

    assert await Import(answer).run() == Counts(imported=4, already_imported=1, resources=1)


async def test_resources_that_cannot_be_registered_stop_the_import_before_their_rows() -> None:
    flaky = Import(lambda _, __: CommandFailed("XX000"))

    with pytest.raises(ImportStopped, match=r"row 1 could not be decided \(CommandFailed"):
        await flaky.run()

    assert len(flaky.engine.sent) == 2  # together with its kind, and by itself
    assert flaky.counts == Counts()


async def test_a_row_that_the_database_refuses_is_a_problem_of_its_own() -> None:
    flaky = Import(lambda command, _: CommandFailed("22000") if is_take(command, 4) else None)

    assert await flaky.run() == Counts(imported=4, refused=1, resources=1)
    assert (flaky.problems[0].row, flaky.problems[0].conflicts) == (5, ())
    assert flaky.problems[0].reason.startswith("CommandFailed")


async def test_names_are_looked_up_with_the_same_patience() -> None:
    flaky = Import(lambda _, __: None)
    flaky.failing_lookups = 2
    assert await flaky.run() == Counts(imported=5, resources=1)
    assert flaky.pauses == list(PAUSES[:2])

    hopeless = Import(lambda _, __: None)
    hopeless.failing_lookups = 1000
    with pytest.raises(ImportStopped, match="row 1 could not be decided"):
        await hopeless.run()
    assert hopeless.pauses == list(PAUSES)
    assert hopeless.engine.sent == []


async def test_slices_are_booked_in_the_order_of_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "SLICE", 2)
    flaky = Import(lambda command, time: Overloaded() if is_take(command, 1) and time < 2 else None)

    assert await flaky.run() == Counts(imported=5, resources=1)
    titles = [command.title for command in flaky.engine.sent if isinstance(command, Book)]
    assert titles == ["Take 0", "Take 1", "Take 1", "Take 2", "Take 3", "Take 4"]


async def test_nothing_goes_on_after_an_import_that_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(running, "SLICE", 1)
    flaky = Import(lambda command, _: Overloaded() if is_take(command, 0) else None)
    before = asyncio.all_tasks()
    with pytest.raises(ImportStopped):
        await flaky.run()
    assert asyncio.all_tasks() == before
