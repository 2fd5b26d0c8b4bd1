"""Utilisation is what a model of a few lines counts, whatever happens and wherever clocks change.

The model never cuts at days: it goes through each booking in quarters of an hour, at whose ends
alone clocks are changed here, and asks the zone which day it is.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from uuid import UUID
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from domain.ids import TenantId
from infra.database import Database
from infra.projecting.settings import REAL_TABLES, set_for_projecting
from projections.asynchronous import Batch, UpcastEvent
from projections.utilisation.projecting import UTILISATION

TENANT = TenantId(UUID(int=1))
RESOURCES = [UUID(int=number) for number in (0xA, 0xB)]
QUARTER, HOUR, DAY = timedelta(minutes=15), timedelta(hours=1), timedelta(days=1)
TICK = timedelta(microseconds=1)

# Where a clock is changed: in the night, at midnight, by half an hour, by a whole day.
CHANGES = {
    "Europe/Vienna": ["2024-03-31T01:00Z", "2024-10-27T01:00Z"],
    "America/Havana": ["2024-03-10T05:00Z", "2024-11-03T05:00Z"],
    "Africa/Cairo": ["2024-04-25T22:00Z", "2024-10-31T21:00Z"],
    "Australia/Lord_Howe": ["2024-04-06T15:00Z", "2024-10-05T15:30Z"],
    "Pacific/Apia": ["2011-12-30T10:00Z"],
    "Asia/Kathmandu": ["2024-01-01T00:00Z"],
}
NEAR = sorted({datetime.fromisoformat(each) for at in CHANGES.values() for each in at})
NEXT = {
    "held": ("booking.confirmed", "booking.released", "booking.hold_lapsed", "booking.rescheduled"),
    "confirmed": ("booking.cancelled", "booking.rescheduled"),
}
STATUS_AFTER = {
    "booking.hold_placed": "held",
    "booking.booked": "confirmed",
    "booking.confirmed": "confirmed",
    "booking.released": "released",
    "booking.cancelled": "cancelled",
    "booking.hold_lapsed": "lapsed",
}


@dataclass(frozen=True)
class Known:
    """What is known of a booking after its last event."""

    status: str
    resources: Sequence[UUID]
    zones: Sequence[str]
    start: datetime
    end: datetime
    made_at: datetime


@dataclass
class History:
    """Events, and what the model knows after them."""

    events: list[UpcastEvent] = field(default_factory=list)
    zones: dict[UUID, str] = field(default_factory=dict)
    bookings: dict[UUID, Known] = field(default_factory=dict)
    versions: dict[UUID, int] = field(default_factory=dict)

    def add(self, stream: UUID, topic: str, at: datetime, **facts: object) -> None:
        version = self.versions[stream] = self.versions.get(stream, 0) + 1
        seq = len(self.events) + 1
        self.events.append(UpcastEvent(seq, stream, version, topic, facts, "{}", at))

    def zone(self, resource: UUID, zone: str) -> None:
        known = resource in self.zones
        facts = {"changes": {"timezone": zone}} if known else {"timezone": zone}
        self.add(resource, f"resource.{'changed' if known else 'registered'}", NEAR[0], **facts)
        self.zones[resource] = zone

    def happened(self, stream: UUID, topic: str, known: Known) -> None:
        facts: dict[str, object] = {}
        if stream not in self.bookings or topic == "booking.rescheduled":
            facts = {
                "resource_ids": [str(each) for each in known.resources],
                "start_time": known.start.isoformat(),
                "end_time": known.end.isoformat(),
            }
        self.add(stream, topic, known.made_at, **facts)
        zones = [self.zones[each] for each in known.resources]
        status = STATUS_AFTER.get(topic, known.status)
        self.bookings[stream] = replace(known, status=status, zones=zones)


@st.composite
def histories(draw: st.DrawFn) -> History:
    history = History()
    zones = st.sampled_from([*CHANGES])
    near, grid = st.sampled_from(NEAR), st.integers(-120, 120)
    ticks, quarters = st.sampled_from([0, 0, 1, -1, 123_456_789]), st.integers(1, 240)
    leads = st.sampled_from([-HOUR, 0 * DAY, DAY, 7 * DAY, 30 * DAY, 90 * DAY])
    some = st.lists(st.sampled_from(RESOURCES), min_size=1, unique=True)

    def period() -> tuple[datetime, datetime]:
        start = draw(near) + draw(grid) * QUARTER + draw(ticks) * TICK
        return start, start + draw(quarters) * QUARTER + draw(ticks) * TICK

    for resource in RESOURCES:
        history.zone(resource, draw(zones))
    for number in range(draw(st.integers(1, 10))):
        open_ones = [id_ for id_, known in history.bookings.items() if known.status in NEXT]
        match draw(st.integers(0, 5)):
            case 0:
                history.zone(draw(st.sampled_from(RESOURCES)), draw(zones))
            case 1 | 2 | 3 if open_ones:
                stream = draw(st.sampled_from(open_ones))
                known = history.bookings[stream]
                topic = draw(st.sampled_from(NEXT[known.status]))
                if topic == "booking.rescheduled":
                    start, end = period()
                    known = replace(known, resources=draw(some), start=start, end=end)
                history.happened(stream, topic, known)
            case _:
                start, end = period()
                made_at = start - draw(leads) + draw(st.sampled_from([0, 1])) * TICK
                topic = draw(st.sampled_from(["booking.hold_placed", "booking.booked"]))
                known = Known("", draw(some), (), start, end, made_at)
                history.happened(UUID(int=100 + number), topic, known)
    return history


Figures = Mapping[tuple[UUID, date], Counter[str]]


def model(bookings: Iterable[Known]) -> Figures:
    """Count what each booking was at last, in the zones that its resources had then."""
    counted: defaultdict[tuple[UUID, date], Counter[str]] = defaultdict(Counter)
    for known in bookings:
        for resource, name in zip(known.resources, known.zones, strict=True):
            zone, lead = ZoneInfo(name), known.start - known.made_at
            for at, length in quarters_of(known.start, known.end):
                counted[resource, at.astimezone(zone).date()][f"{known.status}_us"] += (
                    length // TICK
                )
            counted[resource, known.start.astimezone(zone).date()].update(
                {"starts": 1, "lead_us": lead // TICK, class_of(lead): 1}
            )
    return counted


def quarters_of(start: datetime, end: datetime) -> Iterable[tuple[datetime, timedelta]]:
    at = start
    while at < end:
        until = min(end, at - (at - datetime.min.replace(tzinfo=UTC)) % QUARTER + QUARTER)
        yield at, until - at
        at = until


def class_of(lead: timedelta) -> str:
    for most, name in ((DAY, "lead_day"), (7 * DAY, "lead_week"), (30 * DAY, "lead_month")):
        if lead < most:
            return name
    return "lead_longer"


def test_utilisation_is_what_a_model_counts_however_the_log_is_cut(database: Database) -> None:
    with asyncio.Runner() as runner:
        conn = runner.run(
            AsyncConnection.connect(
                database.runtime_dsn, options="-c role=booking_projector -c TimeZone=UTC"
            )
        )

        @settings(max_examples=80, deadline=None)
        @given(history=histories(), cuts=st.lists(st.integers(1, 4), max_size=12))
        def holds(history: History, cuts: list[int]) -> None:
            found = runner.run(projected(conn, history.events, cuts))
            assert found == model(history.bookings.values())

        try:
            holds()
        finally:
            runner.run(conn.close())


async def projected(
    conn: AsyncConnection[TupleRow], events: Sequence[UpcastEvent], cuts: Sequence[int]
) -> Figures:
    """Fold in batches of these sizes, and give the rows; nothing of it stays."""
    async with conn.transaction(force_rollback=True):
        await set_for_projecting(conn, REAL_TABLES)
        left = iter(events)
        for size in (*cuts, len(events)):
            if batch := UTILISATION.chosen([*islice(left, size)]):
                await UTILISATION.apply(Batch(conn, TENANT, 1, batch))
        found = await conn.execute(
            """
            select resource_id, day,
                   to_jsonb(utilisation) - '{tenant_id,generation,resource_id,day}'::text[]
              from utilisation
            """
        )
        return {(resource, day): Counter(row) for resource, day, row in await found.fetchall()}
