"""What an append costs in a table that has grown: batches of bookings, to each calendar in turn.

As the engine's commit queue sends them: through its own function, as the role that row-level
security binds, in one transaction a batch. The time is PostgreSQL's, and that of one round trip.
"""

import asyncio
import random
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from itertools import islice
from statistics import median

import uvloop

from domain.booking_events import Booked
from domain.claims import Claim, ReservationChanges
from domain.ids import BookingId
from infra.engine.assembly import LAPSE
from infra.identity import new_id
from infra.log.append import AppendCommand, NewEvent, Verdict, append_batch
from infra.postgres.embedded import EmbeddedPostgres
from infra.postgres.pool import Pool, open_pool
from scripts.benchmarks.calendars import BUSY, Calendar
from scripts.benchmarks.databases import runtime_dsn
from scripts.benchmarks.failure import BenchFailed

BATCH = 32  # commands, as full as the write benchmark finds them
BATCHES, WARM_UP = 200, 50

_NIGHT_HOURS = 14  # free after each booking, by far
_STATE, _METADATA = "s" * 260, "m" * 240


def append_seconds(postgres: EmbeddedPostgres, calendars: Sequence[Calendar]) -> list[float]:
    """Books in free nights, anywhere in the calendars.

    Args:
        postgres: the server.
        calendars: on it.

    Returns:
        Of each calendar, the median of the seconds that an append of one booking took.

    Raises:
        BenchFailed: a booking was refused.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_append_seconds(postgres, calendars))


async def _append_seconds(postgres: EmbeddedPostgres, calendars: Sequence[Calendar]) -> list[float]:
    async with AsyncExitStack() as stack:
        pools: list[Pool] = []
        for calendar in calendars:
            pool = await open_pool(runtime_dsn(postgres, calendar.database), role="booking_api")
            stack.push_async_callback(pool.close)
            pools.append(pool)
        nights = [iter(_nights(calendar)) for calendar in calendars]
        taken: list[list[float]] = [[] for _ in calendars]
        for _ in range(WARM_UP + BATCHES):
            for place, calendar in enumerate(calendars):
                commands = [_book(calendar, night) for night in islice(nights[place], BATCH)]
                taken[place].append(await _append(pools[place], calendar, commands))
        return [median(each[WARM_UP:]) / BATCH for each in taken]


def _nights(calendar: Calendar) -> list[int]:
    """Picks free hours in no order, none of them twice; the same ones in each run."""
    hours = range(calendar.reservations * _NIGHT_HOURS)
    return random.Random(1).sample(hours, (WARM_UP + BATCHES) * BATCH)  # noqa: S311 - no secret


def _book(calendar: Calendar, night: int) -> bytes:
    booked_before, hour = divmod(night, _NIGHT_HOURS)
    day, stage = divmod(booked_before, len(calendar.stages))
    start = calendar.starts(stage, day) + BUSY + timedelta(hours=hour)
    booking_id = BookingId(new_id())
    claim = Claim(
        resource_id=calendar.stages[stage],
        booking_id=booking_id,
        start_time=start,
        end_time=start + timedelta(hours=1),
        status="confirmed",
        hold_expires_at=None,
    )
    return AppendCommand(
        expect={booking_id: 0},
        events=(NewEvent(booking_id, 1, Booked.TOPIC, _STATE, _METADATA),),
        changes=ReservationChanges(vacated=(), claimed=(claim,), confirmed=()),
    ).encode()


async def _append(pool: Pool, calendar: Calendar, commands: Sequence[bytes]) -> float:
    async with pool.connection() as connection:
        started = time.perf_counter()
        outcomes = await append_batch(connection, {calendar.tenant_id: commands}, LAPSE)
        seconds = time.perf_counter() - started
    if any(outcome.verdict is not Verdict.ACCEPTED for outcome in outcomes[calendar.tenant_id]):
        raise BenchFailed(f"not every booking was accepted: {outcomes}")
    return seconds
