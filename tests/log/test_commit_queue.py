"""The commit queue's bounds and turns, on a door that opens when the test says so."""

import asyncio
from datetime import UTC, datetime
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from domain.ids import TenantId
from infra.errors import OutcomeUnknown, Overloaded, Unavailable
from infra.log.append import AppendCommand, NewEvent, Outcome, Verdict
from infra.log.commit_queue import Batch, CommitQueue, QueueLimits, Series
from infra.telemetry.metrics import Metrics

NOISY, QUIET, OTHER = (TenantId(UUID(int=number)) for number in (1, 2, 3))


class SetClock:
    """Shows what it was set to."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


class Hall:
    """A door behind which each batch waits until it is let through, or fails."""

    def __init__(self) -> None:
        self.batches: list[dict[TenantId, int]] = []
        self.waiting: list[asyncio.Future[None]] = []
        self.error: Exception | None = None

    async def append(self, batch: Batch) -> dict[TenantId, list[Outcome]]:
        self.batches.append({tenant_id: len(line) for tenant_id, line in batch.items()})
        self.waiting.append(through := asyncio.get_running_loop().create_future())
        await through
        if self.error is not None:
            raise self.error
        done = Outcome(Verdict.ACCEPTED, 1, 1, datetime.now(UTC), None)
        return {tenant_id: [done] * len(line) for tenant_id, line in batch.items()}

    append_again = append

    async def let_through(self) -> None:
        """The batch that came first goes on; whatever follows has come when this returns."""
        self.waiting.pop(0).set_result(None)
        await settled()


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def command(size: int = 2) -> AppendCommand:
    stream = UUID(int=9)
    event = NewEvent(stream, 1, "topic", '"' + "x" * (size - 2) + '"', "{}")
    return AppendCommand(expect={stream: 0}, events=(event,))


def queue_of(hall: Hall, **limits: float) -> CommitQueue:
    clock = asyncio.get_running_loop().time
    return CommitQueue(hall, Metrics(), clock, QueueLimits(**limits))  # type: ignore[arg-type]  # whole numbers where they must be


async def test_what_comes_during_a_flight_travels_together() -> None:
    queue = queue_of(hall := Hall(), flights=1)
    answers = [queue.enqueue(NOISY, command())]
    await settled()
    answers += [queue.enqueue(NOISY, command()) for _ in range(5)]
    await hall.let_through()
    assert answers[0].done()
    await hall.let_through()
    assert hall.batches == [{NOISY: 1}, {NOISY: 5}]
    await asyncio.gather(*answers)


async def test_only_so_many_wait_of_one_tenant_and_of_all() -> None:
    queue = queue_of(Hall(), tenant_commands=3, waiting_commands=5)
    for _ in range(3):
        queue.enqueue(NOISY, command())
    with pytest.raises(Overloaded):
        queue.enqueue(NOISY, command())
    queue.enqueue(QUIET, command())
    queue.enqueue(QUIET, command())
    with pytest.raises(Overloaded):
        queue.enqueue(OTHER, command())


async def test_only_so_many_bytes_wait() -> None:
    size = len(command(1000).encode())
    queue = queue_of(hall := Hall(), waiting_bytes=3 * size)
    for _ in range(3):
        queue.enqueue(NOISY, command(1000))
    with pytest.raises(Overloaded):
        queue.enqueue(QUIET, command())
    await settled()  # they are on their way, and wait no more
    queue.enqueue(QUIET, command())
    await settled()
    assert hall.batches == [{NOISY: 3}, {QUIET: 1}]


async def test_a_flight_is_bounded_and_what_is_too_large_travels_alone() -> None:
    size = len(command(1000).encode())
    queue = queue_of(hall := Hall(), flights=1, batch_commands=3, batch_bytes=2 * size)
    for bytes_ in (2, 2, 2, 2, 1000, 1000, 5000, 2):
        queue.enqueue(NOISY, command(bytes_))
    await settled()
    while hall.waiting:
        await hall.let_through()
    assert [batch[NOISY] for batch in hall.batches] == [3, 2, 1, 1, 1]


async def test_tenants_take_turns_with_a_quota_each() -> None:
    queue = queue_of(hall := Hall(), flights=1, batch_commands=8, tenant_quota=4)
    for _ in range(20):
        queue.enqueue(NOISY, command())
    queue.enqueue(QUIET, command())
    queue.enqueue(OTHER, command())
    await settled()
    assert hall.batches == [{NOISY: 4, QUIET: 1, OTHER: 1}]
    queue.enqueue(QUIET, command())
    while hall.waiting:
        await hall.let_through()
    assert hall.batches[1] == {NOISY: 4, QUIET: 1}
    assert hall.batches[2:] == [{NOISY: 8}, {NOISY: 4}]


async def test_one_tenants_flight_does_not_keep_another_tenant_on_the_ground() -> None:
    queue = queue_of(hall := Hall(), flights=2)
    queue.enqueue(NOISY, command())
    await settled()
    for _ in range(100):
        queue.enqueue(NOISY, command())
    await settled()
    assert hall.batches == [{NOISY: 1}]  # its others keep their order behind it
    queue.enqueue(QUIET, command())
    await settled()
    assert hall.batches == [{NOISY: 1}, {QUIET: 1}]


async def test_what_waits_too_long_is_given_up_while_all_flights_are_stuck() -> None:
    queue = queue_of(hall := Hall(), flights=1, wait_seconds=0.02)
    flying = queue.enqueue(NOISY, command())
    await settled()
    late = [queue.enqueue(tenant_id, command()) for tenant_id in (NOISY, QUIET, QUIET)]
    with capture_logs() as log:
        for error in await asyncio.gather(*late, return_exceptions=True):
            assert isinstance(error, Overloaded)
    assert {line["event"] for line in log} == {"commit_queue.given_up"}
    assert sum(line["commands"] for line in log) == 3
    assert not flying.done()
    await hall.let_through()
    await flying
    again = queue.enqueue(QUIET, command())
    await settled()
    await hall.let_through()
    await again
    assert queue.stuck_for() == 0


async def test_batches_that_fail_share_a_line_in_the_log() -> None:
    queue = queue_of(hall := Hall(), flights=1)
    hall.error = Overloaded()
    with capture_logs() as log:
        for _ in range(50):
            answer = queue.enqueue(NOISY, command())
            await settled()
            await hall.let_through()
            assert isinstance(answer.exception(), Overloaded)
    (line,) = log
    assert (line["event"], line["batches"]) == ("commit_queue.batch_failed", 1)


async def test_a_closed_queue_answers_what_it_has_and_takes_no_more() -> None:
    queue = queue_of(hall := Hall(), flights=1)
    answers = [queue.enqueue(NOISY, command()) for _ in range(3)]
    closing = asyncio.create_task(queue.close())
    await settled()
    with pytest.raises(Overloaded):
        queue.enqueue(NOISY, command())
    assert not closing.done()
    await hall.let_through()
    await closing
    assert all(answer.done() for answer in answers)


@pytest.mark.parametrize("error", [Overloaded(), OutcomeUnknown()])
async def test_what_comes_after_a_flight_that_failed_is_not_decided_sooner(
    error: Unavailable,
) -> None:
    queue = queue_of(hall := Hall(), flights=1, batch_commands=2)
    series = Series()
    answers = [queue.enqueue(NOISY, command(), series) for _ in range(4)]
    alone = queue.enqueue(NOISY, command())
    await settled()
    hall.error = error
    await hall.let_through()
    if isinstance(error, OutcomeUnknown):  # which is tried twice
        await hall.let_through()
    hall.error = None
    await hall.let_through()
    assert [type(answer.exception()) for answer in answers] == [type(error)] * 2 + [Overloaded] * 2
    assert alone.result().verdict is Verdict.ACCEPTED


async def test_what_comes_after_one_that_is_given_up_is_not_decided_sooner() -> None:
    clock = SetClock()
    queue = CommitQueue(
        hall := Hall(), Metrics(), clock, QueueLimits(flights=1, batch_commands=1, wait_seconds=5)
    )
    first = queue.enqueue(NOISY, command())
    await settled()
    series = Series()
    late = queue.enqueue(NOISY, command(), series)
    clock.seconds = 3
    sibling = queue.enqueue(NOISY, command(), series)
    clock.seconds = 6  # too long for the one, not for the other
    await hall.let_through()
    assert first.result().verdict is Verdict.ACCEPTED
    assert isinstance(late.exception(), Overloaded)
    assert isinstance(sibling.exception(), Overloaded)
