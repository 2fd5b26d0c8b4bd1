"""The benchmark of looking back: what `as_of` a year ago costs in a log of two years."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import psycopg
import uvloop
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from domain.ids import BookingId, ResourceId, TenantId
from domain.period import Period
from infra.access import create_tenant
from infra.log.reader import select_streams
from infra.postgres.embedded import DATABASE, MIGRATOR, SUPERUSER, EmbeddedPostgres
from infra.postgres.migrator import migrate
from infra.postgres.pool import open_pool, reading
from infra.projecting import ProjectionRunner
from projections.bookings.listing import BookingFilter
from projections.moment import Moment, moment_of_time
from projections.position import read_live
from projections.reservation_history.availability import read_availability_as_of
from projections.reservation_history.calendar import read_calendar_as_of
from projections.reservation_history.listing import list_known
from projections.reservation_history.projecting import RESERVATION_HISTORY
from scripts.benchmarks.databases import runtime_dsn
from scripts.benchmarks.failure import BenchFailed
from scripts.benchmarks.subjects import own_postgres

EVENTS = 1_000_000
STAGES = 500
TARGET_MS = 20

_SLUG = "bench"
_LOAD = Path(__file__).with_name("long_history.sql")
_ASKED, _WARM_UP = 200, 20
_PAGE = 50
_YEAR, _MONTH, _WEEK = timedelta(days=365), timedelta(days=30), timedelta(days=7)


@dataclass(frozen=True)
class _Look:
    """One look back.

    Attributes:
        conn: in a read-only transaction of the tenant, as the API's role.
        tenant_id: whose history.
        generation: of the rows.
        moment: a year ago.
        stages: in an order of its own.
    """

    conn: AsyncConnection[TupleRow]
    tenant_id: TenantId
    generation: int
    moment: Moment
    stages: Sequence[ResourceId]

    async def find_position(self) -> int:
        return (await moment_of_time(self.conn, self.tenant_id, self.moment.time)).position

    async def calendar(self) -> int:
        page = await read_calendar_as_of(
            self.conn,
            tenant_id=self.tenant_id,
            generation=self.generation,
            moment=self.moment,
            resource_id=self.stages[0],
            window=Period(self.moment.time, self.moment.time + _MONTH),
            limit=200,
        )
        return 0 if page is None else len(page.entries)

    async def availability(self) -> int:
        found = await read_availability_as_of(
            self.conn,
            tenant_id=self.tenant_id,
            generation=self.generation,
            moment=self.moment,
            resource_ids=self.stages[:20],
            window=Period(self.moment.time, self.moment.time + _WEEK),
            duration=timedelta(0),
        )
        return sum(len(each.free) for each in found.resources)

    async def page(self) -> int:
        """Find fifty bookings, and read all that is folded to show them."""
        return await self._page(BookingFilter(start=self.moment.time))

    async def page_of_a_stage(self) -> int:
        return await self._page(
            BookingFilter(start=self.moment.time, resource_id=self.stages[0], status="confirmed")
        )

    async def _page(self, wanted: BookingFilter) -> int:
        await self._events(found := await self._known(wanted, _PAGE))
        return len(found)

    async def _known(self, wanted: BookingFilter, limit: int) -> list[BookingId]:
        page = await list_known(
            self.conn,
            tenant_id=self.tenant_id,
            generation=self.generation,
            moment=self.moment,
            wanted=wanted,
            limit=limit,
        )
        return [mark.booking_id for mark in page.marks]

    async def _events(self, bookings: Sequence[BookingId]) -> int:
        return len(await select_streams(self.conn, self.tenant_id, bookings, self.moment.position))


_QUESTIONS: Mapping[str, Callable[[_Look], Awaitable[int]]] = {
    "the position of a time": _Look.find_position,
    "a calendar, 30 days": _Look.calendar,
    "availability of 20 stages, 7 days": _Look.availability,
    "a page of the list, 50 bookings with their events": _Look.page,
    "the same, of one stage and a status": _Look.page_of_a_stage,
}


@dataclass(frozen=True)
class LookedBack:
    """What was found.

    Attributes:
        events: in the log.
        position: of the moment that was looked back to.
        projected: seconds that the projection took from its beginning.
        seconds: of each question, shortest first.
    """

    events: int
    position: int
    projected: float
    seconds: Mapping[str, Sequence[float]]


def measure_looking_back(events: int, progress: Callable[[str], None]) -> LookedBack:
    """Makes a log of two years, has it projected, and looks back.

    Args:
        events: in the log, about.
        progress: is told what is going on.

    Raises:
        BenchFailed: a question was not answered.
    """
    with own_postgres() as (postgres, _):
        migrate(postgres.dsn(MIGRATOR))
        progress(f"writing {events:,} events of two years …")
        tenant_id = _load(postgres, events)
        progress("projecting them …")
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            started = time.perf_counter()
            runner.run(_project(postgres))
            projected = time.perf_counter() - started
            with psycopg.connect(postgres.dsn(SUPERUSER), autocommit=True) as conn:
                conn.execute("vacuum (analyze)")
            progress("looking back …")
            return runner.run(_ask(postgres, tenant_id, events, projected))


def report_looking_back(found: LookedBack) -> str:
    """Tells what was found.

    Args:
        found: it.
    """
    rate = found.events / found.projected
    heading = f"as_of a year back: position {found.position:,} of {found.events:,}"
    return "\n".join(
        [
            f"{heading}, projected at {rate:,.0f} events/s   target < {TARGET_MS} ms each",
            *(
                f"  {question}: p50 {_ms(seconds, 0.5):.2f} ms, p99 {_ms(seconds, 0.99):.2f} ms"
                for question, seconds in found.seconds.items()
            ),
        ]
    )


def _load(postgres: EmbeddedPostgres, events: int) -> TenantId:
    with psycopg.connect(postgres.dsn(MIGRATOR)) as conn:
        tenant_id = create_tenant(conn, _SLUG, _SLUG.title())
        asked = "select set_config('bench.stages', %s, true), set_config('bench.events', %s, true)"
        conn.execute(asked, [str(STAGES), str(events)])
        conn.execute(_LOAD.read_bytes())
    return tenant_id


async def _project(postgres: EmbeddedPostgres) -> None:
    pool = await open_pool(runtime_dsn(postgres, DATABASE), role="booking_projector", max_size=3)
    await ProjectionRunner(pool, [RESERVATION_HISTORY]).catch_up()
    await pool.close()


async def _ask(
    postgres: EmbeddedPostgres, tenant_id: TenantId, events: int, projected: float
) -> LookedBack:
    pool = await open_pool(runtime_dsn(postgres, DATABASE), role="booking_api", max_size=2)
    year_ago = datetime.now(UTC) - _YEAR
    random = Random(1)  # noqa: S311 - the same stages each time, not a secret
    seconds: dict[str, list[float]] = {question: [] for question in _QUESTIONS}
    answers: Counter[str] = Counter()
    async with reading(pool, tenant_id) as conn:
        live = await read_live(conn, tenant_id, RESERVATION_HISTORY.name)
        if live is None:
            raise BenchFailed("the log was not projected")
        stages = await _stages(conn, tenant_id)
        moment = await moment_of_time(conn, tenant_id, year_ago)
    for number in range(_WARM_UP + _ASKED):
        for question, ask in _QUESTIONS.items():
            async with reading(pool, tenant_id) as conn:
                look = _Look(
                    conn, tenant_id, live.generation, moment, random.sample(stages, len(stages))
                )
                started = time.perf_counter()
                answered = await ask(look)
                took = time.perf_counter() - started
            answers[question] += answered
            if number >= _WARM_UP:
                seconds[question].append(took)
    await pool.close()
    for question in _QUESTIONS:
        if not answers[question]:
            raise BenchFailed(f"nothing was found: {question}")
    ordered = {question: sorted(each) for question, each in seconds.items()}
    return LookedBack(events, moment.position, projected, ordered)


async def _stages(conn: AsyncConnection[TupleRow], tenant_id: TenantId) -> list[ResourceId]:
    mine = "select resource_id from booking.resource_lifetime where tenant_id = %s"
    return [ResourceId(row[0]) for row in await (await conn.execute(mine, [tenant_id])).fetchall()]


def _ms(seconds: Sequence[float], share: float) -> float:
    return 1000 * seconds[int(share * (len(seconds) - 1))]
