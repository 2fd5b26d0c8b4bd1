"""What an append costs in a table that has grown: batches of bookings, to each calendar in turn.

As the engine's commit queue sends them: through its own function, as the role that row-level
security binds, in one transaction a batch. The time is PostgreSQL's, and that of one round trip.

Studios book the weeks to come, however many years lie behind them. So the large calendar is booked
in its last days, as many as the small one has, and beside that anywhere in it: the worst there is,
since no two bookings then meet on a page.
"""

import asyncio
import random
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice
from statistics import median

import psycopg
import uvloop

from domain.booking_events import Booked
from domain.claims import Claim, ReservationChanges
from domain.ids import BookingId
from infra.engine.assembly import LAPSE
from infra.identity import new_id
from infra.log.append import AppendCommand, NewEvent, Verdict, append_batch
from infra.postgres.embedded import SUPERUSER, EmbeddedPostgres
from infra.postgres.pool import Pool, open_pool
from scripts.benchmarks.calendars import BUSY, Calendar
from scripts.benchmarks.databases import runtime_dsn
from scripts.benchmarks.failure import BenchFailed
from scripts.benchmarks.processor_time import own_seconds

BATCH = 32  # commands, as full as the write benchmark finds them
WARM_UP, BATCHES, COUNTED = 200, 300, 20

_NIGHT_HOURS = 14  # free after each booking, by far
_STATE, _METADATA = "s" * 260, "m" * 240

_COUNT = """
    explain (analyze, buffers, wal, timing off, format json)
    select count(*) from booking.append_batch(%s::text::jsonb, %s::text::jsonb)
"""


@dataclass(frozen=True, kw_only=True)
class Appended:
    """What an append of one booking took, in the median batch.

    Attributes:
        seconds: until it was answered, a share of the batch's.
        processor_seconds: of PostgreSQL; None where the system does not tell.
        buffers: pages touched.
        log_bytes: written ahead.
    """

    seconds: float
    processor_seconds: float | None
    buffers: float
    log_bytes: float


@dataclass(kw_only=True)
class _Series:
    """Bookings in some nights of a calendar.

    Attributes:
        calendar: which.
        nights: their numbers, none of them twice.
        pool: of one connection, so that its server process can be told from others.
        seconds: of each batch.
        processor_seconds: of each batch, where the system tells.
        buffers: of each batch that was counted.
        log_bytes: likewise.
    """

    calendar: Calendar
    nights: Iterator[int]
    pool: Pool
    seconds: list[float] = field(default_factory=list)
    processor_seconds: list[float] = field(default_factory=list)
    buffers: list[int] = field(default_factory=list)
    log_bytes: list[int] = field(default_factory=list)

    async def append(self) -> None:
        batch = {self.calendar.tenant_id: self._commands()}
        async with self.pool.connection() as connection:
            used = own_seconds(connection.info.backend_pid)
            started = time.perf_counter()
            outcomes = await append_batch(connection, batch, LAPSE)
            self.seconds.append(time.perf_counter() - started)
            if used is not None:
                used_now = own_seconds(connection.info.backend_pid) or used
                self.processor_seconds.append(used_now - used)
        verdicts = {outcome.verdict for outcome in outcomes[self.calendar.tenant_id]}
        if verdicts != {Verdict.ACCEPTED}:
            raise BenchFailed(f"not every booking was accepted: {verdicts}")

    async def count(self) -> None:
        commands = b",".join(self._commands())
        batch = b'{"%s":[%s]}' % (str(self.calendar.tenant_id).encode(), commands)
        async with self.pool.connection() as connection:
            cursor = await connection.execute(_COUNT, [batch.decode(), LAPSE.decode()])
            [[[explained]]] = await cursor.fetchall()
        plan = explained["Plan"]
        self.buffers.append(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])
        self.log_bytes.append(plan["WAL Bytes"])

    def found(self) -> Appended:
        used = self.processor_seconds[WARM_UP:]
        return Appended(
            seconds=median(self.seconds[WARM_UP:]) / BATCH,
            processor_seconds=median(used) / BATCH if used else None,
            buffers=median(self.buffers) / BATCH,
            log_bytes=median(self.log_bytes) / BATCH,
        )

    def _commands(self) -> list[bytes]:
        return [_book(self.calendar, night) for night in islice(self.nights, BATCH)]


@dataclass(frozen=True)
class Growth:
    """What an append costs.

    Attributes:
        small: in the small calendar.
        large: in as many days of the large one, its last.
        anywhere: in all of the large one.
    """

    small: Appended
    large: Appended
    anywhere: Appended


def measure_growth(postgres: EmbeddedPostgres, small: Calendar, large: Calendar) -> Growth:
    """Books in free nights.

    Args:
        postgres: the server of both calendars.
        small: the small one.
        large: the large one.

    Raises:
        BenchFailed: a booking was refused.
    """
    # A page is logged whole when it is first changed after a checkpoint: one now, none soon.
    with psycopg.connect(postgres.dsn(SUPERUSER), autocommit=True) as conn:
        conn.execute("checkpoint")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_measure_growth(postgres, small, large))


async def _measure_growth(postgres: EmbeddedPostgres, small: Calendar, large: Calendar) -> Growth:
    early, late = range(_NIGHT_HOURS // 2), range(_NIGHT_HOURS // 2, _NIGHT_HOURS)
    where = (
        (small, small.days, early),
        (large, small.days, early),
        (large, large.days, late),
    )
    async with AsyncExitStack() as stack:
        series: list[_Series] = []
        for calendar, days, hours in where:
            dsn = runtime_dsn(postgres, calendar.database)
            pool = await open_pool(dsn, role="booking_api", max_size=1)
            stack.push_async_callback(pool.close)
            nights = _nights(calendar, days, hours)
            series.append(_Series(calendar=calendar, nights=nights, pool=pool))
        for _ in range(WARM_UP + BATCHES):
            for each in series:
                await each.append()
        for _ in range(COUNTED):
            for each in series:
                await each.count()
        return Growth(*[each.found() for each in series])


def _nights(calendar: Calendar, days: int, hours: range) -> Iterator[int]:
    """Picks free hours of the last days in no order, none twice; the same ones in each run."""
    stages = len(calendar.stages)
    first, among = (calendar.days - days) * stages, days * stages * len(hours)
    picked = random.Random(1).sample(  # noqa: S311 - no secret
        range(among), (WARM_UP + BATCHES + COUNTED) * BATCH
    )
    for number in picked:
        booked_before, hour = divmod(number, len(hours))
        yield (first + booked_before) * _NIGHT_HOURS + hours[hour]


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
