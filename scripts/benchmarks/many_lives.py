"""A log as studios make it: bookings of many lives, by the engine's own code, for many tenants."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count, islice
from typing import NamedTuple

from domain.commands import (
    Amend,
    Book,
    Cancel,
    Confirm,
    RegisterResource,
    Release,
    Reschedule,
)
from domain.ids import BookingId, ResourceId, TenantId
from domain.period import Period
from infra.engine import Accepted, BookingEngine, Caller, CommandRequest
from infra.engine.requests import Command
from infra.identity import new_id
from scripts.benchmarks.failure import BenchFailed

STAGES = 10
BOOKINGS_AT_ONCE = 200
SHIFT = timedelta(hours=8)
FIRST_DAY = datetime(2026, 1, 1, tzinfo=UTC)
ZONES = ("Europe/Berlin", "America/New_York", "Asia/Kolkata")


class Life(NamedTuple):
    """A booking to make, and what happens to it afterwards."""

    beginning: Book
    steps: Sequence[Command]


async def live(
    engine: BookingEngine,
    tenants: Sequence[TenantId],
    events: int,
    progress: Callable[[int], None] = lambda _: None,
) -> None:
    """Make a log for each tenant, of the same number of events, one or two more.

    Args:
        engine: takes the commands.
        tenants: who have no log yet.
        events: of all tenants together.
        progress: is told how many events were made.

    Raises:
        BenchFailed: a command was refused.
    """
    share, made = events // len(tenants), 0
    left = iter(tenants)

    async def make() -> None:
        nonlocal made
        for tenant_id in left:
            made += await _live(engine, tenant_id, share)
            progress(made)

    await asyncio.gather(*[make() for _ in range(4)])


async def _live(engine: BookingEngine, tenant_id: TenantId, events: int) -> int:
    caller = Caller(tenant_id, "key:benchmark", "benchmark")
    stages = [ResourceId(new_id()) for _ in range(STAGES)]
    position = await _do(engine, caller, [register(stage, n) for n, stage in enumerate(stages)])
    to_come = lives(stages)
    while position < events:
        waiting = [*islice(to_come, BOOKINGS_AT_ONCE)]
        position = await _do(engine, caller, [life.beginning for life in waiting])
        for turn in count():
            steps = [life.steps[turn] for life in waiting if turn < len(life.steps)]
            if not steps:
                break
            position = await _do(engine, caller, steps)
    return position


async def _do(engine: BookingEngine, caller: Caller, commands: Sequence[Command]) -> int:
    requests = [CommandRequest(command) for command in commands]
    results = await engine.execute_all(caller, requests)
    positions = [result.position for result in results if isinstance(result, Accepted)]
    if len(positions) < len(commands):
        raise BenchFailed("a command was refused")
    return max(positions)


def register(stage: ResourceId, number: int) -> RegisterResource:
    """Make a command that registers a stage.

    Args:
        stage: its id.
        number: which of them, from 0.
    """
    return RegisterResource(
        resource_id=stage,
        name=f"Stage {number}",
        kind="stage",
        timezone=ZONES[number % len(ZONES)],
        attributes={},
    )


def lives(stages: Sequence[ResourceId]) -> Iterator[Life]:
    """Give one booking after the other, none of which is in the way of another.

    Args:
        stages: where they are.
    """
    for number in count():
        shift, stage = divmod(number, len(stages))
        start = FIRST_DAY + SHIFT * shift
        yield _life(number, stages[stage], start)


def _life(number: int, stage: ResourceId, start: datetime) -> Life:
    kind = number % 10
    booking_id = BookingId(new_id())
    beginning = Book(
        booking_id=booking_id,
        resource_ids=(stage,),
        period=Period(start, start + SHIFT - timedelta(hours=2)),
        status="held" if kind in (4, 5, 6, 7) else "confirmed",
        hold_expires_at=None,
        title=f"Commercial {number}",
        customer=None,
        notes="Blacked-out windows, two trucks at the ramp.",
        reference=f"PO-{number}",
        attributes={"crew": 14},
    )
    match kind:
        case 4 | 5 | 6:
            return Life(beginning, [Confirm(booking_id=booking_id, reason="Contract signed")])
        case 7:
            return Life(beginning, [Release(booking_id=booking_id, reason=None)])
        case 8:
            return Life(beginning, [Cancel(booking_id=booking_id, reason="Rain")])
        case 9:
            later = Reschedule(
                booking_id=booking_id,
                start_time=None,
                end_time=start + SHIFT - timedelta(hours=1),
                resource_ids=None,
            )
            return Life(beginning, [later, Amend(booking_id=booking_id, changes={"notes": None})])
        case _:
            return Life(beginning, [])
