"""When resources are free within a window: each of them, and all of them at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from domain.ids import ResourceId, TenantId
from domain.period import Period
from projections.reservation.free_periods import free_periods

MAX_CLAIMS = 50_000
"""How many claims one question may touch: 200 resources with eight bookings a day for a month."""

# The claims of every resource asked for, in one round trip; the reasons for its form are those of
# the calendar's query. A scalar look-up, since the planner would hash all resources of the tenant
# for a join. One without a claim in the window answers a row of nulls, an unknown one no `retired`.
_OCCUPIED = """
with wanted as materialized (
    select asked.resource_id,
           (select resource.retired
              from booking.resource
             where resource.tenant_id = %(tenant_id)s
               and resource.resource_id = asked.resource_id) as retired
      from unnest(%(resource_ids)s::uuid[]) asked (resource_id)
)
select wanted.resource_id, wanted.retired, claim.start_time, claim.end_time
  from wanted
  left join lateral (
           select straddling.start_time, straddling.end_time
             from (select start_time, end_time, hold_expires_at
                     from booking.reservation
                    where tenant_id = %(tenant_id)s
                      and resource_id = wanted.resource_id
                      and start_time < %(from)s
                    order by start_time desc
                    limit 1) straddling
            where straddling.end_time > %(from)s
              and (straddling.hold_expires_at is null
                   or straddling.hold_expires_at > statement_timestamp())
            union all
           select start_time, end_time
             from booking.reservation
            where tenant_id = %(tenant_id)s
              and resource_id = wanted.resource_id
              and start_time >= %(from)s
              and start_time < %(to)s
              and (hold_expires_at is null or hold_expires_at > statement_timestamp())
       ) claim on true
 limit %(limit)s
"""


class WindowTooFull(Exception):
    """More claims lie in the window than one question may touch.

    A shorter window or fewer resources will do.

    Attributes:
        max_claims: how many it may touch.
    """

    def __init__(self, max_claims: int) -> None:
        """State the bound."""
        super().__init__(f"more than {max_claims} claims in the window")
        self.max_claims = max_claims


@dataclass(frozen=True, slots=True)
class ResourceAvailability:
    """When one resource can be booked.

    Attributes:
        resource_id: the resource.
        free: its free periods, in order.
    """

    resource_id: ResourceId
    free: tuple[Period, ...]


@dataclass(frozen=True, slots=True)
class Availability:
    """What is free of the resources asked for.

    Attributes:
        resources: those the tenant has, in the order they were asked for.
        common: periods in which all of these are free, in order.
        unknown: ids that are no resource of the tenant, in the order they were asked for.
    """

    resources: tuple[ResourceAvailability, ...]
    common: tuple[Period, ...]
    unknown: tuple[ResourceId, ...]


async def read_availability(
    conn: AsyncConnection[TupleRow],
    *,
    tenant_id: TenantId,
    resource_ids: Sequence[ResourceId],
    window: Period,
    duration: timedelta,
) -> Availability:
    """Find when resources are free.

    Args:
        conn: inside a read-only transaction of the tenant.
        tenant_id: the tenant.
        resource_ids: at least one; one given twice counts once. A retired resource has no free
            period.
        window: free periods are clipped to it.
        duration: how long a free period must be at least; also one common to all.

    Returns:
        The free periods; with unknown resources, those of the others.

    Raises:
        WindowTooFull: more than MAX_CLAIMS claims lie in the window.
    """
    wanted = list(dict.fromkeys(resource_ids))
    cursor = await conn.execute(
        _OCCUPIED,
        {
            "tenant_id": tenant_id,
            "resource_ids": wanted,
            "from": window.start,
            "to": window.end,
            "limit": MAX_CLAIMS + 1,
        },
    )
    rows = await cursor.fetchall()
    if len(rows) > MAX_CLAIMS:
        raise WindowTooFull(MAX_CLAIMS)
    occupied = _occupied_by_resource(rows, window)
    return Availability(
        resources=tuple(
            ResourceAvailability(resource_id, free_periods(window, occupied[resource_id], duration))
            for resource_id in wanted
            if resource_id in occupied
        ),
        common=free_periods(window, chain.from_iterable(occupied.values()), duration)
        if occupied
        else (),
        unknown=tuple(resource_id for resource_id in wanted if resource_id not in occupied),
    )


def _occupied_by_resource(
    rows: Sequence[TupleRow], window: Period
) -> dict[ResourceId, list[Period]]:
    occupied: dict[ResourceId, list[Period]] = {}
    for resource_id, retired, start_time, end_time in rows:
        if retired is None:
            continue
        periods = occupied.setdefault(resource_id, [])
        if retired:
            periods.append(window)  # nothing may claim it: as if it were taken all the time
        elif start_time is not None:
            periods.append(Period(start_time, end_time))
    return occupied
