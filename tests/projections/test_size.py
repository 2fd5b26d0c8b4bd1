"""What reading a busy room costs where a million claims are in the table: some pages of an index.

Claims lie in the table in the order in which they were made, so those of one room are spread all
over it, a page each. The index has them together, with all that readers want of them; it answers
alone for what VACUUM has seen.
"""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
import pytest

from api.openapi.parameters import MAX_PAGE
from domain.ids import ResourceId
from projections.reservation import availability, calendar
from tests.projections.conftest import Studio
from tests.projections.test_reads_reach_the_index import (
    Plan,
    buffers,
    claims_found,
    explained,
    scans,
)

ROOMS = 1000
DAYS = 500
A_DAY = 2
YEAR = datetime(2026, 1, 1, tzinfo=UTC)
ROOM = ResourceId(UUID(int=421))
QUARTER = {"from": YEAR + timedelta(days=200), "to": YEAR + timedelta(days=290)}
SHOWN = 90 * A_DAY  # on one page of the calendar
MOST = 100
MOST_BESIDE_THE_CLAIMS = 30

_INDEXES = """
select indexdef
  from pg_indexes
 where schemaname = 'booking' and tablename = 'reservation'
"""
_NO_INDEXES = """
alter table booking.reservation drop constraint no_double_booking, drop constraint reservation_pk;
drop index booking.reservation_by_start, booking.reservation_by_expiry;
"""
_ROOMS = """
insert into booking.resource (tenant_id, resource_id, name, kind, timezone, attributes, retired,
                              version, position, created_at, updated_at)
select %(tenant)s, lpad(to_hex(room), 32, '0')::uuid, 'Room ' || room, 'room', 'UTC', '{}', false,
       1, room, now(), now()
  from generate_series(1, %(rooms)s) room
"""
# Every room twice a day, each booking made up to two months before.
_CLAIMS = """
insert into booking.reservation (tenant_id, resource_id, booking_id, start_time, end_time, status)
select %(tenant)s, lpad(to_hex(room), 32, '0')::uuid, gen_random_uuid(), start_time,
       start_time + interval '6 hours', 'confirmed'
  from generate_series(1, %(rooms)s) room,
       generate_series(0, %(days)s * %(a_day)s - 1) nth,
       lateral (select %(year)s + nth / %(a_day)s * interval '1 day'
                       + nth %% %(a_day)s * interval '8 hours') slot (start_time)
 order by start_time - random() * interval '60 days'
"""


@pytest.fixture(scope="session")
def only_embedded(postgres_version: str) -> None:
    if postgres_version != "embedded":
        pytest.skip("a million claims take a while to load, and the embedded server is the default")


@pytest.fixture
def million(only_embedded: None, studio: Studio) -> Studio:  # noqa: ARG001 - it skips before all else
    load(studio.owner, studio.tenant_id)
    return studio


def load(owner: psycopg.Connection, tenant_id: UUID) -> None:
    """Fills the table before its indexes are made.

    The constraint is left out, its index is not: a million checks would take longer than all the
    rest, and readers know only the index. The claims are such that it would hold.
    """
    indexes = [definition for (definition,) in owner.execute(_INDEXES).fetchall()]
    owner.execute(_NO_INDEXES)
    facts = {
        "tenant": tenant_id,
        "rooms": ROOMS,
        "days": DAYS,
        "a_day": A_DAY,
        "year": YEAR,
    }
    owner.execute(_ROOMS, facts)
    owner.execute(_CLAIMS, facts)
    owner.execute("set maintenance_work_mem = '256MB'")
    for definition in indexes:
        owner.execute(definition)
    owner.execute("analyze booking.reservation, booking.resource")


async def quarter(studio: Studio) -> dict[str, Plan]:
    """What the queries did to show ninety days of a room, two bookings a day."""
    readings = {
        "calendar": await explained(
            studio,
            calendar._CALENDAR,
            {
                **QUARTER,
                "resource_id": ROOM,
                "after_start": calendar.BEGINNING.start_time,
                "after_booking": calendar.BEGINNING.booking_id,
                "limit": MAX_PAGE + 1,
            },
        ),
        "availability": await explained(
            studio,
            availability._OCCUPIED,
            {**QUARTER, "resource_ids": [ROOM], "limit": availability.most_rows([ROOM])},
        ),
    }
    assert {claims_found(plan) for plan in readings.values()} == {SHOWN}
    return readings


async def test_a_busy_room_is_read_over_ninety_days_from_some_pages_of_an_index(
    million: Studio,
) -> None:
    for plan in (await quarter(million)).values():
        # Nothing has been vacuumed: each claim is looked up in the table too.
        assert buffers(plan) <= SHOWN + MOST_BESIDE_THE_CLAIMS
        assert {index for _, index in scans(plan, "reservation")} == {"reservation_by_start"}

    million.owner.execute("vacuum booking.reservation")

    for plan in (await quarter(million)).values():
        assert buffers(plan) <= MOST
        assert scans(plan, "reservation") == {("Index Only Scan", "reservation_by_start")}
