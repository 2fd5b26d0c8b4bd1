"""The list of a tenant's bookings, as it was known at a moment of the log, page by page.

Only where bookings stood and what they reserved is found here: what else was known of them, their
events tell. The rows of all moments lie together, so a page looks at a bounded number of rows and
may have fewer bookings than asked for, or none, and yet not be the last.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from domain.ids import BookingId, TenantId
from projections.bookings.listing import FAR_AHEAD, BookingFilter
from projections.bookings.reach import LONG_AGO, REACHES, earliest_starts
from projections.moment import Moment

LOOK_AHEAD = 1000
"""How many rows a page may look at to find those that were known at the moment."""

# One of the two ways to what is looked at, by what is asked; PostgreSQL does not begin the other.
_LIST = """
with looked as materialized (
   (select known.*
      from unnest(%(reaches)s::smallint[], %(earliest)s::timestamptz[]) way (reach, earliest)
     cross join lateral (
               select *
                 from booking.reservation_history
                where tenant_id = %(tenant_id)s
                  and generation = %(generation)s
                  and is_first
                  and reservation_history.reach = way.reach
                  and start_time > way.earliest
                  and start_time < %(to)s
                  and (start_time, booking_id, known_from)
                      > (%(after_start)s, %(after_booking)s, %(after_known)s)
                order by start_time, booking_id, known_from
                limit %(look)s
           ) known
     where %(resource_id)s::uuid is null
     order by start_time, booking_id, known_from
     limit %(look)s)
    union all
   (select known.*
      from unnest(%(reaches)s::smallint[], %(earliest)s::timestamptz[]) way (reach, earliest)
     cross join lateral (
               select *
                 from booking.reservation_history
                where tenant_id = %(tenant_id)s
                  and generation = %(generation)s
                  and resource_id = %(resource_id)s
                  and reservation_history.reach = way.reach
                  and start_time > way.earliest
                  and start_time < %(to)s
                  and (start_time, booking_id, known_from)
                      > (%(after_start)s, %(after_booking)s, %(after_known)s)
                order by start_time, booking_id, known_from
                limit %(look)s
           ) known
     where %(resource_id)s::uuid is not null
     order by start_time, booking_id, known_from
     limit %(look)s)
),
found as (
    select start_time, booking_id, known_from
      from looked
     where known_from <= %(position)s
       and (known_until is null or known_until > %(position)s)
       and end_time > %(from)s
       and (%(status)s::text is null or status = %(status)s)
     order by start_time, booking_id
     limit %(limit)s
),
last as (
    select start_time as last_start, booking_id as last_booking, known_from as last_known,
           (select count(*) from looked) as looked_at
      from looked
     order by start_time desc, booking_id desc, known_from desc
     limit 1
)
select last.*, found.*
  from last
  left join found on true
 order by found.start_time, found.booking_id
"""


class KnownMark(NamedTuple):
    """The place of a row in the list, which the next page goes on after.

    Attributes:
        start_time: when the booking starts; aware.
        booking_id: its id.
        known_from: the position from which that was known of it.
    """

    start_time: datetime
    booking_id: BookingId
    known_from: int


BEGINNING = KnownMark(LONG_AGO, BookingId(UUID(int=0)), 0)
"""The mark before every row."""


@dataclass(frozen=True, slots=True)
class KnownPage:
    """Some bookings, by start and id.

    Attributes:
        marks: one for each booking; perhaps none, although it is not the last page.
        next_after: the mark to ask the next page with; None if this page is the last.
    """

    marks: tuple[KnownMark, ...]
    next_after: KnownMark | None


async def list_known(
    conn: AsyncConnection[TupleRow],
    *,
    tenant_id: TenantId,
    generation: int,
    moment: Moment,
    wanted: BookingFilter,
    after: KnownMark = BEGINNING,
    limit: int,
) -> KnownPage:
    """List the bookings that were known at a moment, by start and id as they were then.

    Args:
        conn: inside a read-only transaction of the tenant.
        tenant_id: the tenant.
        generation: of the rows.
        moment: what has happened since counts for nothing.
        wanted: which bookings; text and reference are not looked at.
        after: the last mark of the page before.
        limit: bookings a page, at least 1.

    Returns:
        A page.
    """
    parameters = {
        "tenant_id": tenant_id,
        "generation": generation,
        "position": moment.position,
        "resource_id": wanted.resource_id,
        "status": wanted.status,
        "from": wanted.start or LONG_AGO,
        "to": wanted.end or FAR_AHEAD,
        "reaches": [*range(len(REACHES))],
        "earliest": earliest_starts(wanted.start),
        "after_start": after.start_time,
        "after_booking": after.booking_id,
        "after_known": after.known_from,
        "look": LOOK_AHEAD,
        "limit": limit + 1,  # one more than shown tells whether there is another page
    }
    rows = await (await conn.execute(_LIST, parameters)).fetchall()
    marks = tuple(_mark(*row[4:]) for row in rows[:limit] if row[4] is not None)
    if len(rows) > limit:
        return KnownPage(marks, next_after=marks[-1])
    if rows and rows[0][3] >= LOOK_AHEAD:
        return KnownPage(marks, next_after=_mark(*rows[0][:3]))
    return KnownPage(marks, next_after=None)


def _mark(start_time: datetime, booking_id: UUID, known_from: int) -> KnownMark:
    return KnownMark(start_time.astimezone(UTC), BookingId(booking_id), known_from)
