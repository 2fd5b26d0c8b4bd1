"""When resources are free within a window: each of them, and all of them at once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import chain
from struct import Struct

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from domain.ids import ResourceId, TenantId
from domain.period import Period
from projections.reservation.free_spans import Span, free_spans

MAX_CLAIMS = 50_000
"""How many claims one question may touch: 200 resources with eight bookings a day for a month."""

# The claims of every resource asked for, in one round trip; the reasons for its form are those of
# the calendar's query. A scalar look-up, since the planner would hash all resources of the tenant
# for a join. An unknown one answers no `retired`, one without a claim in the window no `taken`.
#
# What is taken comes as bytes, a row for each resource: for every claim its start and its end, as
# timestamptz travels in the binary protocol. A row for every claim, read into datetimes, took more
# time than finding them.
_OCCUPIED = """
with wanted as materialized (
    select asked.resource_id,
           (select resource.retired
              from booking.resource
             where resource.tenant_id = %(tenant_id)s
               and resource.resource_id = asked.resource_id) as retired
      from unnest(%(resource_ids)s::uuid[]) asked (resource_id)
)
select resource_id, retired,
       string_agg(timestamptz_send(start_time) || timestamptz_send(end_time), '') as taken,
       min(hold_expires_at) as holds_until
  from (
           select wanted.resource_id, wanted.retired, claim.start_time, claim.end_time,
                  claim.hold_expires_at
             from wanted
             left join lateral (
                      select straddling.start_time, straddling.end_time,
                             straddling.hold_expires_at
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
                      select start_time, end_time, hold_expires_at
                        from booking.reservation
                       where tenant_id = %(tenant_id)s
                         and resource_id = wanted.resource_id
                         and start_time >= %(from)s
                         and start_time < %(to)s
                         and (hold_expires_at is null or hold_expires_at > statement_timestamp())
                  ) claim on true
            limit %(limit)s
       ) occupied
 group by resource_id, retired
"""

_CLAIM = Struct("!qq")  # microseconds since PostgreSQL's own beginning of time
_BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


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


FreePeriod = tuple[datetime, datetime]
"""From the first until just before the second, both in UTC."""


@dataclass(frozen=True, slots=True)
class ResourceAvailability:
    """When one resource can be booked.

    Attributes:
        resource_id: the resource.
        free: its free periods, in order.
    """

    resource_id: ResourceId
    free: tuple[FreePeriod, ...]


@dataclass(frozen=True, slots=True)
class Availability:
    """What is free of the resources asked for.

    Attributes:
        resources: those the tenant has, in the order they were asked for.
        common: periods in which all of these are free, in order.
        unknown: ids that are no resource of the tenant, in the order they were asked for.
        holds_until: when the first hold that counted expires; None where none does.
    """

    resources: tuple[ResourceAvailability, ...]
    common: tuple[FreePeriod, ...]
    unknown: tuple[ResourceId, ...]
    holds_until: datetime | None = None


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
            "limit": most_rows(wanted),
        },
        binary=True,
    )
    rows = await cursor.fetchall()
    expiries = [row[3] for row in rows if row[3] is not None]
    availability = availability_of([row[:3] for row in rows], wanted, window, duration)
    return replace(availability, holds_until=min(expiries, default=None))


def availability_of(
    rows: Sequence[TupleRow],
    wanted: Sequence[ResourceId],
    window: Period,
    duration: timedelta,
) -> Availability:
    """Tell what is free from what a query says is taken.

    Args:
        rows: for each resource its id, whether it is retired (None if there is none such), and the
            claims in the window as bytes; at most `most_rows`.
        wanted: the resources, each once.
        window: free periods are clipped to it.
        duration: how long a free period must be at least.

    Raises:
        WindowTooFull: more than MAX_CLAIMS claims lie in the window.
    """
    span, at_least = _span(window), duration // _MICROSECOND
    occupied = _occupied_by_resource(rows, span)
    moments = _Moments()
    return Availability(
        resources=tuple(
            ResourceAvailability(
                resource_id, moments.of(free_spans(span, occupied[resource_id], at_least))
            )
            for resource_id in wanted
            if resource_id in occupied
        ),
        common=moments.of(free_spans(span, _all_of(occupied), at_least)) if occupied else (),
        unknown=tuple(resource_id for resource_id in wanted if resource_id not in occupied),
    )


def most_rows(wanted: Sequence[ResourceId]) -> int:
    """Bound the rows to look at: one claim too many, though each resource had a row without one."""
    return MAX_CLAIMS + 1 + len(wanted)


def _occupied_by_resource(
    rows: Sequence[TupleRow], window: Span
) -> dict[ResourceId, Sequence[Span]]:
    claims = sum(len(taken) for _, _, taken in rows if taken is not None) // _CLAIM.size
    if claims > MAX_CLAIMS:
        raise WindowTooFull(MAX_CLAIMS)
    occupied: dict[ResourceId, Sequence[Span]] = {}
    for resource_id, retired, taken in rows:
        if retired is None:
            continue
        # Nothing may claim a retired one: as if it were taken all the time.
        occupied[resource_id] = [window] if retired else list(_CLAIM.iter_unpack(taken or b""))
    return occupied


def _all_of(occupied: dict[ResourceId, Sequence[Span]]) -> set[Span]:
    """Give each span once: many are alike where people book by the hour, and sorting is dear."""
    return set(chain.from_iterable(occupied.values()))


def _span(window: Period) -> Span:
    start, end = ((time - _BEGINNING) // _MICROSECOND for time in (window.start, window.end))
    return start, end


class _Moments(dict[int, datetime]):
    """The times of one answer, each made once, however many periods start or end then."""

    def __missing__(self, microseconds: int) -> datetime:
        """Make a time that was not asked for before."""
        moment = self[microseconds] = _BEGINNING + microseconds * _MICROSECOND
        return moment

    def of(self, spans: Iterable[Span]) -> tuple[FreePeriod, ...]:
        """Give spans as people read them."""
        return tuple([(self[start], self[end]) for start, end in spans])
