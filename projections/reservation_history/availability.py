"""When resources were free within a window, as it was known at a moment of the log."""

from collections.abc import Sequence
from datetime import timedelta

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from domain.ids import ResourceId, TenantId
from domain.period import Period
from projections.bookings.reach import REACHES, earliest_starts
from projections.moment import Moment
from projections.reservation.availability import Availability, availability_of, most_rows

# What the live query answers, in the same form: a row for each resource, its claims as bytes. With
# `offset 0`, the claims of each class are looked up; else the planner would join the whole history.
_OCCUPIED = """
with wanted as materialized (
    select asked.resource_id,
           (select coalesce(retired_from <= %(position)s, false)
              from booking.resource_lifetime
             where tenant_id = %(tenant_id)s
               and generation = %(generation)s
               and resource_lifetime.resource_id = asked.resource_id
               and known_from <= %(position)s) as retired
      from unnest(%(resource_ids)s::uuid[]) asked (resource_id)
)
select resource_id, retired,
       string_agg(timestamptz_send(start_time) || timestamptz_send(end_time), '') as taken
  from (
           select wanted.resource_id, wanted.retired, claim.start_time, claim.end_time
             from wanted
             left join lateral (
                      select known.*
                        from unnest(%(reaches)s::smallint[], %(earliest)s::timestamptz[])
                             way (reach, earliest)
                       cross join lateral (
                                 select start_time, end_time
                                   from booking.reservation_history
                                  where tenant_id = %(tenant_id)s
                                    and generation = %(generation)s
                                    and reservation_history.resource_id = wanted.resource_id
                                    and reservation_history.reach = way.reach
                                    and start_time > way.earliest
                                    and start_time < %(to)s
                                    and end_time > %(from)s
                                    and known_from <= %(position)s
                                    and (known_until is null or known_until > %(position)s)
                                    and status in ('held', 'confirmed')
                                    and (hold_expires_at is null or hold_expires_at > %(time)s)
                                 offset 0
                             ) known
                  ) claim on true
            limit %(limit)s
       ) occupied
 group by resource_id, retired
"""


async def read_availability_as_of(
    conn: AsyncConnection[TupleRow],
    *,
    tenant_id: TenantId,
    generation: int,
    moment: Moment,
    resource_ids: Sequence[ResourceId],
    window: Period,
    duration: timedelta,
) -> Availability:
    """Read when resources were free, each of them and all at once, as it was known at a moment.

    Args:
        conn: inside a read-only transaction of the tenant.
        tenant_id: the tenant.
        generation: of the rows.
        moment: what has happened since counts for nothing.
        resource_ids: which; named twice, a resource is answered once.
        window: free periods are clipped to it.
        duration: how long a free period must be at least; also one common to all.

    Returns:
        The free periods; with resources unknown then, those of the others.

    Raises:
        WindowTooFull: more than MAX_CLAIMS claims lay in the window.
    """
    wanted = list(dict.fromkeys(resource_ids))
    cursor = await conn.execute(
        _OCCUPIED,
        {
            "tenant_id": tenant_id,
            "generation": generation,
            "position": moment.position,
            "time": moment.time,
            "resource_ids": wanted,
            "from": window.start,
            "to": window.end,
            "reaches": [*range(len(REACHES))],
            "earliest": earliest_starts(window.start),
            "limit": most_rows(wanted),
        },
        binary=True,
    )
    return availability_of(await cursor.fetchall(), wanted, window, duration)
