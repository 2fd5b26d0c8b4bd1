"""The list of a tenant's bookings by start, narrowed by filters, page by page.

A page is stable under inserts: it goes on after the last booking of the page before, whatever has
come since. What no index answers (status, text) is looked for in a bounded number of bookings: a
page may then have fewer than asked for, or none, and yet not be the last.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import TupleRow, dict_row

from domain.customer import SealedCustomer
from domain.ids import BookingId, ResourceId, TenantId
from domain.status import BookingStatus
from projections.bookings.reach import LONG_AGO, REACHES, earliest_starts

LOOK_AHEAD = 2000
"""How many bookings a page may look at to find those of a status or with a text."""

# One of the three ways to what is looked at, by what is asked; PostgreSQL does not begin the other
# two. Under row-level security only comparisons reach an index, and neither && nor @> nor ILIKE.
_LIST = """
with looked as materialized (
   (select bookings.*
      from unnest(%(reaches)s::smallint[], %(earliest)s::timestamptz[]) way (reach, earliest)
     cross join lateral (
               select *
                 from booking.bookings
                where tenant_id = %(tenant_id)s
                  and generation = %(generation)s
                  and bookings.reach = way.reach
                  and start_time > way.earliest
                  and start_time < %(to)s
                  and end_time > %(from)s
                  and (start_time, booking_id) > (%(after_start)s, %(after_booking)s)
                order by start_time, booking_id
                limit %(look)s
           ) bookings
     where %(resource_id)s::uuid is null and %(reference)s::text is null
     order by start_time, booking_id
     limit %(look)s)
    union all
   (select bookings.*
      from (select booking_id
              from booking.bookings_resource
             where tenant_id = %(tenant_id)s
               and generation = %(generation)s
               and resource_id = %(resource_id)s
               and start_time > %(furthest)s
               and start_time < %(to)s
               and end_time > %(from)s
               and (start_time, booking_id) > (%(after_start)s, %(after_booking)s)
               and %(reference)s::text is null
             order by start_time, booking_id
             limit %(look)s) of_resource
     cross join lateral (
               select *
                 from booking.bookings
                where tenant_id = %(tenant_id)s
                  and generation = %(generation)s
                  and booking_id = of_resource.booking_id
           ) bookings)
    union all
   (select *
      from booking.bookings
     where tenant_id = %(tenant_id)s
       and generation = %(generation)s
       and reference = %(reference)s
       and (start_time, booking_id) > (%(after_start)s, %(after_booking)s)
     order by start_time, booking_id
     limit %(look)s)
),
found as (
    select *
      from looked
     where start_time < %(to)s
       and end_time > %(from)s
       and (%(resource_id)s::uuid is null or %(resource_id)s = any (resource_ids))
       and (%(status)s::text is null or status = %(status)s)
       and (%(q)s::text is null
            or position(lower(%(q)s) in lower(concat_ws(E'\\n', title, reference, notes))) > 0)
     order by start_time, booking_id
     limit %(limit)s
),
last as (
    select start_time as last_start, booking_id as last_booking,
           (select count(*) from looked) as looked_at
      from looked
     order by start_time desc, booking_id desc
     limit 1
)
select last.*, found.*
  from last
  left join found on true
 order by found.start_time, found.booking_id
"""


class BookingMark(NamedTuple):
    """The place of a booking in the list, which the next page goes on after.

    Attributes:
        start_time: when it starts; aware.
        booking_id: its id.
    """

    start_time: datetime
    booking_id: BookingId


BEGINNING = BookingMark(LONG_AGO, BookingId(UUID(int=0)))
"""The mark before every booking."""

FAR_AHEAD = datetime(9999, 1, 1, tzinfo=UTC)
"""After every booking."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BookingFilter:
    """Which bookings are listed; None asks for nothing.

    Attributes:
        resource_id: those that concern this resource.
        status: those that stand so.
        start: those that end after this.
        end: those that start before this.
        q: those with this text in title, reference or notes, in whatever case.
        reference: those with exactly this reference.
    """

    resource_id: ResourceId | None = None
    status: BookingStatus | None = None
    start: datetime | None = None
    end: datetime | None = None
    q: str | None = None
    reference: str | None = None

    @property
    def is_answered_by_an_index(self) -> bool:
        """Whether all that is looked at is found."""
        return self.status is None and not self.asks_for_details

    @property
    def asks_for_details(self) -> bool:
        """Whether it asks for what the bookings themselves tell, not what they reserve."""
        return self.q is not None or self.reference is not None


@dataclass(frozen=True, slots=True)
class ListedBooking:
    """A booking as it stands; all times are in UTC.

    Attributes:
        customer: whom it is for, sealed.
        customer_version: that of the event that the customer stands in.
        position: of its last event.
    """

    booking_id: BookingId
    status: BookingStatus
    resource_ids: list[ResourceId]
    start_time: datetime
    end_time: datetime
    hold_expires_at: datetime | None
    title: str
    customer: SealedCustomer | None
    customer_version: int
    notes: str | None
    reference: str | None
    attributes: Mapping[str, Any]
    version: int
    position: int
    created_at: datetime
    updated_at: datetime

    @property
    def mark(self) -> BookingMark:
        """Where the next page goes on, if this booking is the last of its page."""
        return BookingMark(self.start_time, self.booking_id)


@dataclass(frozen=True, slots=True)
class BookingPage:
    """Some bookings, by start and id.

    Attributes:
        bookings: perhaps none, although it is not the last page.
        next_after: the mark to ask the next page with; None if this page is the last.
    """

    bookings: tuple[ListedBooking, ...]
    next_after: BookingMark | None


async def list_bookings(
    conn: AsyncConnection[TupleRow],
    *,
    tenant_id: TenantId,
    generation: int,
    wanted: BookingFilter,
    after: BookingMark = BEGINNING,
    limit: int,
) -> BookingPage:
    """List a tenant's bookings by start and id.

    Args:
        conn: inside a read-only transaction of the tenant.
        tenant_id: the tenant.
        generation: of the rows.
        wanted: which bookings.
        after: the last mark of the page before.
        limit: bookings a page, at least 1.

    Returns:
        A page.
    """
    # One more than shown tells whether there is another page.
    look = limit + 1 if wanted.is_answered_by_an_index else max(LOOK_AHEAD, limit + 1)
    earliest = earliest_starts(wanted.start)
    parameters = {
        "tenant_id": tenant_id,
        "generation": generation,
        "resource_id": wanted.resource_id,
        "status": wanted.status,
        "from": wanted.start or LONG_AGO,
        "to": wanted.end or FAR_AHEAD,
        "q": wanted.q,
        "reference": wanted.reference,
        "reaches": [*range(len(REACHES))],
        "earliest": earliest,
        "furthest": earliest[-1],
        "after_start": after.start_time,
        "after_booking": after.booking_id,
        "look": look,
        "limit": limit + 1,
    }
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_LIST, parameters)
        rows = await cursor.fetchall()
    bookings = tuple(_booking(row) for row in rows[:limit] if row["booking_id"] is not None)
    if len(rows) > limit:
        return BookingPage(bookings, next_after=bookings[-1].mark)
    if rows and rows[0]["looked_at"] >= look:
        last = BookingMark(rows[0]["last_start"], rows[0]["last_booking"])
        return BookingPage(bookings, next_after=last)
    return BookingPage(bookings, next_after=None)


def _booking(row: Mapping[str, Any]) -> ListedBooking:
    customer = row["customer"]
    return ListedBooking(
        booking_id=row["booking_id"],
        status=row["status"],
        resource_ids=row["resource_ids"],
        start_time=row["start_time"],
        end_time=row["end_time"],
        hold_expires_at=row["hold_expires_at"],
        title=row["title"],
        customer=None
        if customer is None
        else SealedCustomer(key_id=UUID(customer["key_id"]), sealed=customer["sealed"]),
        customer_version=row["customer_version"],
        notes=row["notes"],
        reference=row["reference"],
        attributes=row["attributes"],
        version=row["version"],
        position=row["position"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
