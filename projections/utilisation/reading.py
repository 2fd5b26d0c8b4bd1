"""Utilisation by resource and local day, with what was refused, page by page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import TupleRow, class_row

from domain.ids import ResourceId, TenantId

# Each resource's days are found by the keys; the marks go on within a resource, or with the next.
# The first days of the two together are among the first of each.
_READ = """
select wanted.resource_id, found.day, zone.timezone,
       extract(epoch from booking.day_begins(zone.timezone, found.day + 1)
                          - booking.day_begins(zone.timezone, found.day))::int as day_seconds,
       coalesce(held_us, 0) as held_us, coalesce(confirmed_us, 0) as confirmed_us,
       coalesce(released_us, 0) as released_us, coalesce(cancelled_us, 0) as cancelled_us,
       coalesce(lapsed_us, 0) as lapsed_us, coalesce(starts, 0) as starts,
       coalesce(lead_us, 0) as lead_us, coalesce(lead_day, 0) as lead_day,
       coalesce(lead_week, 0) as lead_week, coalesce(lead_month, 0) as lead_month,
       coalesce(lead_longer, 0) as lead_longer, coalesce(refusals, '{}') as refusals
  from unnest(%(resources)s::uuid[]) wanted (resource_id)
 cross join lateral (
           select *
             from (select *
                     from booking.utilisation
                    where tenant_id = %(tenant_id)s
                      and generation = %(generation)s
                      and utilisation.resource_id = wanted.resource_id
                      and utilisation.day >= %(start)s
                      and utilisation.day < %(end)s
                      and (utilisation.resource_id, utilisation.day)
                          > (%(after_resource)s::uuid, %(after_day)s::date)
                    order by utilisation.day
                    limit %(limit)s) used
             full join
                  (select refusal_day.day, jsonb_object_agg(reason, refusals) as refusals
                     from booking.refusal_day
                    where tenant_id = %(tenant_id)s
                      and refusal_day.resource_id = wanted.resource_id
                      and refusal_day.day >= %(start)s
                      and refusal_day.day < %(end)s
                      and (refusal_day.resource_id, refusal_day.day)
                          > (%(after_resource)s::uuid, %(after_day)s::date)
                    group by refusal_day.day
                    order by refusal_day.day
                    limit %(limit)s) refused
            using (day)
            order by day
            limit %(limit)s
       ) found
 cross join lateral (
           select timezone
             from booking.utilisation_resource
            where tenant_id = %(tenant_id)s
              and generation = %(generation)s
              and utilisation_resource.resource_id = wanted.resource_id
       ) zone
 order by wanted.resource_id, found.day
 limit %(limit)s
"""


class UtilisationMark(NamedTuple):
    """The place of a day in the list, which the next page goes on after.

    Attributes:
        resource_id: whose day.
        day: which.
    """

    resource_id: UUID
    day: date


BEGINNING = UtilisationMark(UUID(int=0), date(1, 1, 1))
"""The mark before every day."""


@dataclass(frozen=True, slots=True)
class UtilisationDay:
    """What a resource's local day was used for; times are in microseconds.

    Attributes:
        timezone: in which the resource's days are shown now.
        day_seconds: how long that day is: 23 or 25 hours where the clock is changed.
        starts: bookings that start in it, whatever became of them.
        lead_us: from when these were made until they start, together.
        lead_day: of them, made less than a day before.
        lead_week: a day before or more, but less than a week.
        lead_month: a week before or more, but less than 30 days.
        lead_longer: longer before.
        refusals: how many commands were refused that wanted a period which begins in it, by reason.
    """

    resource_id: UUID
    day: date
    timezone: str
    day_seconds: int
    held_us: int
    confirmed_us: int
    released_us: int
    cancelled_us: int
    lapsed_us: int
    starts: int
    lead_us: int
    lead_day: int
    lead_week: int
    lead_month: int
    lead_longer: int
    refusals: Mapping[str, int]


async def read_utilisation(
    conn: AsyncConnection[TupleRow],
    *,
    tenant_id: TenantId,
    generation: int,
    resources: Sequence[ResourceId],
    start: date,
    end: date,
    after: UtilisationMark = BEGINNING,
    limit: int,
) -> list[UtilisationDay]:
    """Read the days on which anything was booked or refused, by resource and day.

    Refusals are no part of the log: they are told as they were counted up to now.

    Args:
        conn: inside a read-only transaction of the tenant.
        tenant_id: the tenant.
        generation: of the rows.
        resources: whose days.
        start: the first day.
        end: the day after the last.
        after: the last mark of the page before.
        limit: days at most.
    """
    async with conn.cursor(row_factory=class_row(UtilisationDay)) as cursor:
        await cursor.execute(
            _READ,
            {
                "tenant_id": tenant_id,
                "generation": generation,
                "resources": sorted(set(resources)),
                "start": start,
                "end": end,
                "after_resource": after.resource_id,
                "after_day": after.day,
                "limit": limit,
            },
        )
        return await cursor.fetchall()
