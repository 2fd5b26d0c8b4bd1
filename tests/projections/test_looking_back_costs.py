"""What looking back costs in a long history: some pages of an index and of its table, and no scan.

The rows of all moments lie together, those of a booking one after the other, each booking made up
to two months before its start. Half of them were made after the moment that is looked back to.
"""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from domain.ids import ResourceId
from projections import moment
from projections.bookings.listing import FAR_AHEAD
from projections.bookings.reach import REACHES, earliest_starts
from projections.reservation import availability as live
from projections.reservation.calendar import BEGINNING
from projections.reservation_history import availability, calendar, listing
from tests.projections.conftest import Studio
from tests.projections.test_reads_reach_the_index import (
    Plan,
    buffers,
    explained,
    scans,
)
from tests.projections.test_size import only_embedded

ROOMS = 100
DAYS = 200
A_DAY = 2
BOOKINGS = ROOMS * DAYS * A_DAY
VERSIONS = 3
YEAR = datetime(2026, 1, 1, tzinfo=UTC)
ROOM = ResourceId(UUID(int=42))
HALF = VERSIONS * BOOKINGS // 2
THEN = YEAR + timedelta(days=DAYS // 2 - 30)
LATE = YEAR + timedelta(days=DAYS - 30)  # of which next to nothing was known then
ASKED = {"generation": 1, "position": HALF, "time": THEN, "reaches": [*range(len(REACHES))]}

_ROOMS = """
insert into booking.resource_lifetime
select %(tenant)s, 1, lpad(to_hex(room), 32, '0')::uuid, 0, null
  from generate_series(1, %(rooms)s) room
"""
_HISTORY = """
insert into booking.reservation_history
select %(tenant)s, 1, booking_id, first + nth, resource_id, true,
       (array['held', 'confirmed', case when first %% 5 = 0 then 'cancelled' else 'confirmed' end])
       [nth],
       start_time, start_time + interval '6 hours', 0, null,
       case when nth < %(versions)s then first + nth + 1 end
  from (select gen_random_uuid() as booking_id, start_time,
               lpad(to_hex(room), 32, '0')::uuid as resource_id,
               %(versions)s * (row_number() over made - 1) as first
          from generate_series(1, %(rooms)s) room,
               generate_series(0, %(days)s * %(a_day)s - 1) slot,
               lateral (select %(year)s + slot * interval '12 hours') at (start_time)
        window made as (order by start_time - random() * interval '60 days')) booking
 cross join generate_series(1, %(versions)s) nth
 order by first, nth
"""
_LOG = """
insert into booking.event
select %(tenant)s, seq, gen_random_uuid(), 1, 'booking.booked', '{}', '{}',
       %(year)s + seq * interval '1 minute', ''
  from generate_series(1, %(events)s) seq
"""


__all__ = ["only_embedded"]


@pytest.fixture
def long_history(only_embedded: None, studio: Studio) -> Studio:  # noqa: ARG001 - it skips first
    facts = {
        "tenant": studio.tenant_id,
        "rooms": ROOMS,
        "days": DAYS,
        "a_day": A_DAY,
        "year": YEAR,
        "versions": VERSIONS,
        "events": 50_000,
    }
    for statement in (_ROOMS, _HISTORY, _LOG):
        studio.owner.execute(statement, facts)
    studio.owner.execute(
        "update booking.tenant_head set seq = %(events)s where tenant_id = %(tenant)s", facts
    )
    return studio


async def read_calendar(studio: Studio) -> Plan:
    """Thirty days of a room."""
    return await explained(
        studio,
        calendar._CALENDAR,
        {
            **ASKED,
            "resource_id": ROOM,
            "from": THEN,
            "to": THEN + timedelta(days=30),
            "earliest": earliest_starts(THEN),
            "after_start": BEGINNING.start_time,
            "after_booking": BEGINNING.booking_id,
            "limit": 101,
        },
    )


async def read_availability(studio: Studio) -> Plan:
    """A week of ten rooms."""
    rooms = [ResourceId(UUID(int=number)) for number in range(1, 11)]
    return await explained(
        studio,
        availability._OCCUPIED,
        {
            **ASKED,
            "resource_ids": rooms,
            "from": THEN,
            "to": THEN + timedelta(days=7),
            "earliest": earliest_starts(THEN),
            "limit": live.most_rows(rooms),
        },
    )


async def read_list(studio: Studio, start: datetime, resource_id: UUID | None = None) -> Plan:
    return await explained(
        studio,
        listing._LIST,
        {
            **ASKED,
            "resource_id": resource_id,
            "status": None,
            "from": start,
            "to": FAR_AHEAD,
            "earliest": earliest_starts(start),
            "after_start": listing.BEGINNING.start_time,
            "after_booking": listing.BEGINNING.booking_id,
            "after_known": 0,
            "look": listing.LOOK_AHEAD,
            "limit": 51,
        },
    )


async def read_moment(studio: Studio) -> Plan:
    return await explained(studio, moment._LAST_AT, {"time": YEAR + timedelta(minutes=12345.5)})


def rows(plan: Plan) -> float:
    found = plan["Actual Rows"]
    assert isinstance(found, int | float)
    return found


async def test_looking_back_goes_by_the_indexes_and_touches_little(long_history: Studio) -> None:
    for analysed in (False, True):
        if analysed:
            long_history.owner.execute("analyze booking.reservation_history, booking.event")
        by_start = {("Index Scan", "reservation_history_by_start")}
        of_resource = {("Index Scan", "reservation_history_of_resource")}

        month = await read_calendar(long_history)
        assert rows(month) > 10
        assert scans(month, "reservation_history") == of_resource
        assert buffers(month) < 3 * 30 * A_DAY

        week = await read_availability(long_history)
        assert rows(week) == 10
        assert scans(week, "reservation_history") == of_resource
        assert buffers(week) < 10 * 60

        room = await read_list(long_history, THEN, ROOM)
        assert scans(room, "reservation_history") >= of_resource
        for page in (
            room,
            await read_list(long_history, THEN),
            await read_list(
                long_history, YEAR + timedelta(days=DAYS - 30)
            ),  # of which little is known
        ):
            assert scans(page, "reservation_history") <= by_start | of_resource
            assert buffers(page) < listing.LOOK_AHEAD + 100

        found = await read_moment(long_history)
        assert scans(found, "event") == {("Index Scan", "event_pk")}
        assert buffers(found) < 100
