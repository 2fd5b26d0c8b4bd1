"""The calendar of one resource, as it was known at a moment of the log."""

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from domain.ids import ResourceId, TenantId
from domain.period import Period
from projections.bookings.reach import REACHES, earliest_starts
from projections.moment import Moment
from projections.reservation.calendar import BEGINNING, CalendarMark, CalendarPage, page_of

# Claims that lived at one moment never overlap, but those of all moments do: what reaches into the
# window is looked for in each class of duration, from as far before it as that class can last.
_CALENDAR = """
select resource.resource_id, claim.booking_id, claim.start_time, claim.end_time, claim.status,
       claim.hold_expires_at
  from booking.resource_lifetime resource
  left join lateral (
           select known.*
             from unnest(%(reaches)s::smallint[], %(earliest)s::timestamptz[]) way (reach, earliest)
            cross join lateral (
                      select booking_id, start_time, end_time, status, hold_expires_at
                        from booking.reservation_history
                       where tenant_id = %(tenant_id)s
                         and generation = %(generation)s
                         and resource_id = %(resource_id)s
                         and reservation_history.reach = way.reach
                         and start_time > way.earliest
                         and start_time < %(to)s
                         and end_time > %(from)s
                         and (start_time, booking_id) > (%(after_start)s, %(after_booking)s)
                         and known_from <= %(position)s
                         and (known_until is null or known_until > %(position)s)
                         and status in ('held', 'confirmed')
                         and (hold_expires_at is null or hold_expires_at > %(time)s)
                       order by start_time, booking_id
                       limit %(limit)s
                  ) known
       ) claim on true
 where resource.tenant_id = %(tenant_id)s
   and resource.generation = %(generation)s
   and resource.resource_id = %(resource_id)s
   and resource.known_from <= %(position)s
 order by claim.start_time, claim.booking_id
 limit %(limit)s
"""


async def read_calendar_as_of(
    conn: AsyncConnection[TupleRow],
    *,
    tenant_id: TenantId,
    generation: int,
    moment: Moment,
    resource_id: ResourceId,
    window: Period,
    after: CalendarMark = BEGINNING,
    limit: int,
) -> CalendarPage | None:
    """Read what occupied a resource within a window, as it was known at a moment.

    Args:
        conn: inside a read-only transaction of the tenant.
        tenant_id: the tenant.
        generation: of the rows.
        moment: what has happened since counts for nothing.
        resource_id: the resource; a retired one still shows what was booked.
        window: entries that overlap it are answered.
        after: the last mark of the page before.
        limit: entries a page, at least 1.

    Returns:
        A page, or None where the tenant had no such resource then.
    """
    cursor = await conn.execute(
        _CALENDAR,
        {
            "tenant_id": tenant_id,
            "generation": generation,
            "position": moment.position,
            "time": moment.time,
            "resource_id": resource_id,
            "from": window.start,
            "to": window.end,
            "reaches": [*range(len(REACHES))],
            "earliest": earliest_starts(window.start),
            "after_start": after.start_time,
            "after_booking": after.booking_id,
            "limit": limit + 1,  # one more than shown tells whether there is another page
        },
    )
    return page_of(await cursor.fetchall(), limit)
