"""What a command or a look at the log costs does not grow with the log, whatever is known of it.

Counted in buffers (pages of 8 kB touched, cached or not), which unlike time are the same on every
machine. The planner is left as ignorant as it can be: tables that were never analysed, and plans
made when they were empty and kept while they grew; and the same with statistics.
"""

from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from statistics import median
from uuid import UUID

import psycopg
import pytest
from psycopg import AsyncConnection, sql
from psycopg.conninfo import make_conninfo
from psycopg.errors import Diagnostic
from pydantic import JsonValue
from pydantic_core import from_json

from domain.claims import Claim, ReservationChanges
from domain.ids import BookingId, ResourceId, TenantId
from domain.status import ClaimStatus
from infra.access import create_tenant
from infra.database import Database
from infra.engine.assembly import LAPSE
from infra.identity import new_id
from infra.log.append import AppendCommand, NewEvent, ResourceRow, Verdict, append_batch
from infra.log.commit_queue import QueueLimits
from infra.log.reader import (
    LOOK_AHEAD,
    select_head,
    select_page,
    select_stream_page,
    select_streams,
)
from infra.postgres.embedded import SUPERUSER

EVENTS = 30_000
DAY = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
BUSY_ROOMS = [ResourceId(UUID(int=number)) for number in (1, 2, 3)]
FULL_BATCH = QueueLimits().batch_commands
MOST_OF_A_COMMAND = 100
MOST_OF_READING = {
    "head": 5,
    "stream": 10,
    "fifty streams": 50 * 10,
    "history": 10,
    "page": 25,
    "rare topic": LOOK_AHEAD // 5,  # what is bounded is how many events are looked at
}
ROUNDS = 12  # more than it takes for a plan to become the one that is kept

_COUNT_BUFFERS = """
    load 'auto_explain';
    set auto_explain.log_min_duration = 0;
    set auto_explain.log_level = notice;
    set auto_explain.log_format = json;
    set auto_explain.log_analyze = on;
    set auto_explain.log_timing = off;
    set auto_explain.log_buffers = on;
    set auto_explain.log_nested_statements = on;
    set role booking_api;
"""

# Nine tenths of the claims in three rooms, every other hour; the rest spread over a thousand more.
_GROW = """
with made as materialized (
    select nth, gen_random_uuid() as booking_id,
           case when nth %% 10 > 0 then nth %% 3 + 1 else nth / 10 %% 1000 + 4 end as room,
           %(day)s + nth / 3 * interval '2 hours' as start_time
      from generate_series(0, %(events)s - 1) nth
), rooms as (
    insert into booking.resource (tenant_id, resource_id, name, kind, timezone, attributes,
                                  retired, version, position, created_at, updated_at)
    select %(tenant)s, lpad(to_hex(nth), 32, '0')::uuid, 'Room ' || nth, 'room', 'UTC', '{}',
           false, 1, 1, now(), now()
      from generate_series(4, 1003) nth
), claims as (
    insert into booking.reservation (tenant_id, resource_id, booking_id, start_time, end_time,
                                     status)
    select %(tenant)s, lpad(to_hex(room), 32, '0')::uuid, booking_id, start_time,
           start_time + interval '1 hour', 'confirmed'
      from made
), receipts as (
    insert into booking.receipt (tenant_id, key, fingerprint, outcome, recorded_at)
    select %(tenant)s, booking_id::text, md5(booking_id::text), '{"verdict": "accepted"}', now()
      from made
), events as (
    insert into booking.event (tenant_id, seq, stream_id, version, topic, state, metadata,
                               recorded_at, hash)
    select %(tenant)s, head.seq + 1 + nth, booking_id, 1, 'booking.booked', repeat('s', 400),
           repeat('m', 200), now(), sha256(booking_id::text::bytea)
      from made, booking.tenant_head head
     where head.tenant_id = %(tenant)s
)
update booking.tenant_head set seq = seq + %(events)s where tenant_id = %(tenant)s
"""


@dataclass
class Meter:
    """A connection as the API's, which tells what each call of it has touched."""

    conn: AsyncConnection
    plans: list[dict[str, JsonValue]] = field(default_factory=list)

    def note(self, notice: Diagnostic) -> None:
        _, _, plan = (notice.message_primary or "").partition("plan:\n")
        self.plans.append(from_json(plan))

    async def buffers(self, work: Awaitable[object]) -> int:
        """How many buffers the last statement of the work touched, with all it ran inside."""
        self.plans.clear()
        await work
        return touched(self.plans[-1])  # what runs inside of a statement ends before it


def touched(plan: dict[str, JsonValue]) -> int:
    root = plan["Plan"]
    assert isinstance(root, dict)
    hit, read = root["Shared Hit Blocks"], root["Shared Read Blocks"]
    assert isinstance(hit, int)
    assert isinstance(read, int)
    return hit + read


@asynccontextmanager
async def metered(database: Database) -> AsyncIterator[Meter]:
    dsn = make_conninfo(database.owner_dsn, user=SUPERUSER)  # the only one who may load it
    async with await AsyncConnection.connect(dsn, autocommit=True) as conn:
        meter = Meter(conn)
        conn.add_notice_handler(meter.note)
        await conn.execute(_COUNT_BUFFERS)
        yield meter


@dataclass
class Tenant:
    """One whose commands are all about the busy rooms, in the middle of what is booked there."""

    tenant_id: TenantId
    slots: Iterator[int] = field(default_factory=count)

    def claim(self, booking_id: BookingId, expires: datetime | None = None) -> Claim:
        start = DAY + (5000 + next(self.slots)) * 2 * HOUR + HOUR  # between two that are taken
        status: ClaimStatus = "confirmed" if expires is None else "held"
        return Claim(BUSY_ROOMS[0], booking_id, start, start + HOUR, status, expires)


def booked(claim: Claim, key: str | None = None) -> AppendCommand:
    return AppendCommand(
        expect={claim.booking_id: 0},
        events=(event(claim.booking_id, 1),),
        changes=ReservationChanges(vacated=(), claimed=(claim,), confirmed=()),
        keys=() if key is None else (key,),
        fingerprint=key,
    )


def changed(booking_id: BookingId, version: int, changes: ReservationChanges) -> AppendCommand:
    return AppendCommand(
        expect={booking_id: version - 1}, events=(event(booking_id, version),), changes=changes
    )


def event(stream_id: UUID, version: int) -> NewEvent:
    return NewEvent(stream_id, version, "booking.changed", '{"x":"%s"}' % ("s" * 400), "m" * 200)


Costs = dict[str, float]
"""What was touched for a command or a reading, as it usually is once plans are made and kept."""


async def cost_of_commands(meter: Meter, tenant: Tenant) -> Costs:
    """What each kind of command touches, again and again."""
    all_costs: dict[str, list[float]] = defaultdict(list)

    async def ask(kind: str, verdict: Verdict, *commands: AppendCommand) -> None:
        batch = {tenant.tenant_id: [command.encode() for command in commands]}

        async def append() -> None:
            outcomes = await append_batch(meter.conn, batch, LAPSE)
            assert {outcome.verdict for outcome in outcomes[tenant.tenant_id]} == {verdict}

        all_costs[kind].append(await meter.buffers(append()) / len(commands))

    for _ in range(ROUNDS):
        booking, other = BookingId(new_id()), BookingId(new_id())
        claim = tenant.claim(booking)
        elsewhere = replace(claim, resource_id=BUSY_ROOMS[1])
        keyed = booked(claim, key=str(booking))
        await ask("book", Verdict.ACCEPTED, keyed)
        await ask("replay", Verdict.ACCEPTED, keyed)
        await ask("stale", Verdict.STALE, keyed._replace(keys=()))
        await ask("conflict", Verdict.CONFLICT, booked(replace(claim, booking_id=other)))
        confirm = ReservationChanges(vacated=(), claimed=(), confirmed=(booking,))
        await ask("confirm", Verdict.ACCEPTED, changed(booking, 2, confirm))
        move = ReservationChanges(vacated=(booking,), claimed=(elsewhere,), confirmed=())
        await ask("reschedule", Verdict.ACCEPTED, changed(booking, 3, move))
        cancel = ReservationChanges(vacated=(booking,), claimed=(), confirmed=())
        await ask("cancel", Verdict.ACCEPTED, changed(booking, 4, cancel))
        due = tenant.claim(BookingId(new_id()), expires=DAY)
        await ask("hold", Verdict.ACCEPTED, booked(due))
        taking = replace(due, booking_id=other, status="confirmed", hold_expires_at=None)
        await ask("lapse", Verdict.ACCEPTED, booked(taking))
        full = [booked(tenant.claim(BookingId(new_id()))) for _ in range(FULL_BATCH)]
        await ask("full batch", Verdict.ACCEPTED, *full)
    return {kind: median(costs[ROUNDS // 2 :]) for kind, costs in all_costs.items()}


async def cost_of_reading(meter: Meter, tenant: Tenant) -> Costs:
    """What each way to read the log touches, again and again, in the middle of it."""
    conn, mine = meter.conn, tenant.tenant_id
    # For the session: what runs in an open transaction is told of when the next statement comes.
    await conn.execute("select set_config('app.tenant_id', %s, false)", [str(mine)])
    middle = (await select_head(conn, mine)).seq // 2
    events = await select_page(conn, mine, after=middle, limit=50, topic=None)
    streams = [event.stream_id for event in events]
    ways: dict[str, Callable[[], Awaitable[object]]] = {
        "head": lambda: select_head(conn, mine),
        "stream": lambda: select_streams(conn, mine, streams[:1]),
        "fifty streams": lambda: select_streams(conn, mine, streams),
        "history": lambda: select_stream_page(conn, mine, streams[0], after=0, limit=100),
        "page": lambda: select_page(conn, mine, after=middle, limit=100, topic=None),
        "rare topic": lambda: select_page(conn, mine, after=middle, limit=100, topic="rare"),
    }
    costs: Costs = {}
    for name, read in ways.items():
        costs[name] = median([await meter.buffers(read()) for _ in range(ROUNDS)][ROUNDS // 2 :])
    return costs


async def register(meter: Meter, tenant: Tenant) -> None:
    for room in BUSY_ROOMS:
        row = ResourceRow(room, "Room", "room", "UTC", {}, retired=False, version=1)
        command = AppendCommand(expect={room: 0}, events=(event(room, 1),), resources=(row,))
        await append_batch(meter.conn, {tenant.tenant_id: [command.encode()]}, LAPSE)


@pytest.fixture
def owner(database: Database) -> Iterator[psycopg.Connection]:
    """The owner of tables that nothing analyses unasked."""
    with psycopg.connect(database.owner_dsn, autocommit=True) as conn:
        for table in ("event", "receipt", "resource", "reservation", "tenant_head"):
            name = sql.Identifier("booking", table)
            conn.execute(sql.SQL("alter table {} set (autovacuum_enabled = off)").format(name))
        yield conn


@dataclass
class Studios:
    """A tenant whose log is long and one whose log is not, in the same tables."""

    large: Tenant
    small: Tenant


@pytest.fixture
async def studios(database: Database, owner: psycopg.Connection) -> Studios:
    large, small = (Tenant(create_tenant(owner, slug, slug)) for slug in ("large", "small"))
    async with metered(database) as meter:
        for tenant in (large, small):
            await register(meter, tenant)
    return Studios(large, small)


async def sessions(
    old: Meter, database: Database, owner: psycopg.Connection, large: Tenant
) -> AsyncGenerator[tuple[str, Meter], None]:
    """Lets the log grow; then sessions whose plans were made before and after, each told what."""
    owner.execute(_GROW, {"tenant": large.tenant_id, "day": DAY, "events": EVENTS})
    for statistics in ("never analysed", "analysed"):
        if statistics == "analysed":
            owner.execute("analyze")
        async with metered(database) as new:
            yield f"plans of old, {statistics}", old
            yield f"new plans, {statistics}", new


async def test_a_command_costs_the_same_however_long_the_log_is(
    database: Database, owner: psycopg.Connection, studios: Studios
) -> None:
    async with metered(database) as old:
        empty = await cost_of_commands(old, studios.large)
        most = {kind: min(2 * cost, MOST_OF_A_COMMAND) for kind, cost in empty.items()}
        async with aclosing(sessions(old, database, owner, studios.large)) as every:
            async for session, meter in every:
                for tenant in (studios.large, studios.small):
                    assert dear(await cost_of_commands(meter, tenant), most) == {}, session


async def test_reading_costs_the_same_however_long_the_log_is(
    database: Database, owner: psycopg.Connection, studios: Studios
) -> None:
    async with metered(database) as old:
        await cost_of_reading(old, studios.large)
        async with aclosing(sessions(old, database, owner, studios.large)) as every:
            async for session, meter in every:
                for tenant in (studios.large, studios.small):
                    costs = await cost_of_reading(meter, tenant)
                    assert dear(costs, MOST_OF_READING) == {}, session


def dear(costs: Costs, most: Mapping[str, float]) -> Costs:
    return {kind: cost for kind, cost in costs.items() if cost > most[kind]}
