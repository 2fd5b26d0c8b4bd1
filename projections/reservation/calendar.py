"""The calendar of one resource: which bookings occupy it within a window, page by page."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, NamedTuple
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from domain.ids import BookingId, ResourceId, TenantId
from domain.period import Period

# Under row-level security && cannot reach the GiST index, since it is not leakproof; comparisons of
# timestamps are, and reach the btree. Live claims of a resource never overlap, so of all that start
# before the window only the last one can reach into it. A hold past its expiry still has its row
# until that is recorded, and is skipped from that moment on by the database's clock: that of the
# statement, since a transaction may have waited before it read.
_CALENDAR = """
select resource.resource_id, claim.booking_id, claim.start_time, claim.end_time, claim.status,
       claim.hold_expires_at
  from booking.resource
  left join lateral (
           select *
             from (select booking_id, start_time, end_time, status, hold_expires_at
                     from booking.reservation
                    where tenant_id = %(tenant_id)s
                      and resource_id = %(resource_id)s
                      and start_time < %(from)s
                    order by start_time desc
                    limit 1) straddling
            where straddling.end_time > %(from)s
              and (straddling.start_time, straddling.booking_id)
                  > (%(after_start)s, %(after_booking)s)
              and (straddling.hold_expires_at is null
                   or straddling.hold_expires_at > statement_timestamp())
            union all
           (select booking_id, start_time, end_time, status, hold_expires_at
              from booking.reservation
             where tenant_id = %(tenant_id)s
               and resource_id = %(resource_id)s
               and start_time >= %(from)s
               and start_time < %(to)s
               and (start_time, booking_id) > (%(after_start)s, %(after_booking)s)
               and (hold_expires_at is null or hold_expires_at > statement_timestamp())
             order by start_time, booking_id
             limit %(limit)s)
       ) claim on true
 where resource.tenant_id = %(tenant_id)s
   and resource.resource_id = %(resource_id)s
 order by claim.start_time, claim.booking_id
 limit %(limit)s
"""


class CalendarMark(NamedTuple):
    """The place of an entry in a calendar, which the next page goes on after.

    Attributes:
        start_time: when the entry starts; aware.
        booking_id: the booking of the entry.
    """

    start_time: datetime
    booking_id: BookingId


BEGINNING = CalendarMark(datetime(1, 1, 1, tzinfo=UTC), BookingId(UUID(int=0)))
"""The mark before every entry."""


@dataclass(frozen=True, slots=True)
class CalendarEntry:
    """One live claim: the booking has the resource from start_time until before end_time (UTC)."""

    resource_id: ResourceId
    booking_id: BookingId
    start_time: datetime
    end_time: datetime
    status: Literal["held", "confirmed"]
    hold_expires_at: datetime | None

    @property
    def mark(self) -> CalendarMark:
        """Where the next page goes on, if this entry is the last of its page."""
        return CalendarMark(self.start_time, self.booking_id)


@dataclass(frozen=True, slots=True)
class CalendarPage:
    """Some entries of a calendar, by start_time.

    Attributes:
        entries: not clipped to the window; the first may start before it and the last end after it.
        next_after: the mark to ask the next page with; None if this page is the last.
    """

    entries: tuple[CalendarEntry, ...]
    next_after: CalendarMark | None


async def read_calendar(
    conn: AsyncConnection[TupleRow],
    *,
    tenant_id: TenantId,
    resource_id: ResourceId,
    window: Period,
    after: CalendarMark = BEGINNING,
    limit: int,
) -> CalendarPage | None:
    """Read what occupies a resource within a window.

    Args:
        conn: inside a read-only transaction of the tenant.
        tenant_id: the tenant.
        resource_id: the resource; a retired one still shows what was booked.
        window: entries that overlap it are answered.
        after: the last mark of the page before.
        limit: entries a page, at least 1.

    Returns:
        A page, or None where the tenant has no such resource.
    """
    cursor = await conn.execute(
        _CALENDAR,
        {
            "tenant_id": tenant_id,
            "resource_id": resource_id,
            "from": window.start,
            "to": window.end,
            "after_start": after.start_time,
            "after_booking": after.booking_id,
            "limit": limit + 1,  # one more than shown tells whether there is another page
        },
    )
    return page_of(await cursor.fetchall(), limit)


def page_of(rows: Sequence[TupleRow], limit: int) -> CalendarPage | None:
    """Make a page of what a query found.

    Args:
        rows: one more than a page has, if there is another; one without a claim where nothing
            occupies the resource, none where there is no such resource.
        limit: entries a page.
    """
    if not rows:
        return None
    entries = tuple(_entry(row) for row in rows[:limit] if row[1] is not None)
    return CalendarPage(entries, next_after=entries[-1].mark if len(rows) > limit else None)


def _entry(row: TupleRow) -> CalendarEntry:
    resource_id, booking_id, start_time, end_time, status, hold_expires_at = row
    return CalendarEntry(
        resource_id=resource_id,
        booking_id=booking_id,
        start_time=start_time.astimezone(UTC),
        end_time=end_time.astimezone(UTC),
        status=status,
        hold_expires_at=hold_expires_at and hold_expires_at.astimezone(UTC),
    )
