"""A moment of a tenant's log to look back to: a position, and what time it was."""

from dataclasses import dataclass
from datetime import UTC, datetime

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from domain.ids import TenantId

_RECORDED = """
select recorded_at
  from booking.event
 where tenant_id = %(tenant_id)s
   and seq = %(position)s
"""

# Positions have no gaps and the times of recording never go backwards, so the last event by a time
# is found by halving the log: twenty look-ups in a million events, and no index for writers to keep
# up. Without `offset 0`, the planner would read the whole log at once, and join it.
_LAST_AT = """
with recursive part as (
    select 0::bigint as first, seq as last
      from booking.tenant_head
     where tenant_id = %(tenant_id)s
    union all
    select case when recorded_at <= %(time)s then seq else first end,
           case when recorded_at <= %(time)s then last else seq - 1 end
      from part
     cross join lateral (
               select seq, recorded_at
                 from booking.event
                where tenant_id = %(tenant_id)s
                  and seq = (first + last + 1) / 2
               offset 0
           ) halfway
     where first < last
)
select last, greatest(recorded_at, clock_timestamp())
  from part
 cross join booking.tenant_head
 where first = last
   and tenant_id = %(tenant_id)s
"""

_BEFORE_ALL = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Moment:
    """What is known at a moment is what the events up to its position tell.

    Attributes:
        position: the last event that counts; 0 before the first one.
        time: a hold that expires then, or has before, occupies nothing.
    """

    position: int
    time: datetime


class InFuture(Exception):
    """A time has not come yet by the database's clock.

    Attributes:
        now: what time it is there.
    """

    def __init__(self, now: datetime) -> None:
        """State the time."""
        super().__init__(f"it is {now.isoformat()}")
        self.now = now


async def moment_of_position(
    conn: AsyncConnection[TupleRow], tenant_id: TenantId, position: int
) -> Moment:
    """Give the moment in which an event was recorded.

    Args:
        conn: inside a transaction of the tenant.
        tenant_id: whose log.
        position: at most the log's last one; 0 is the moment before the first event.

    Raises:
        LookupError: there is no such event.
    """
    if position == 0:
        return Moment(0, _BEFORE_ALL)
    cursor = await conn.execute(_RECORDED, {"tenant_id": tenant_id, "position": position})
    row = await cursor.fetchone()
    if row is None:
        raise LookupError(f"the log has no event at position {position}")
    return Moment(position, row[0].astimezone(UTC))


async def moment_of_time(
    conn: AsyncConnection[TupleRow], tenant_id: TenantId, time: datetime
) -> Moment:
    """Give the moment of a time: after the last event that was recorded by then.

    Args:
        conn: inside a transaction of the tenant.
        tenant_id: whose log.
        time: when; aware.

    Raises:
        InFuture: it has not come yet.
        LookupError: the tenant has no log.
    """
    cursor = await conn.execute(_LAST_AT, {"tenant_id": tenant_id, "time": time})
    row = await cursor.fetchone()
    if row is None:
        raise LookupError(f"tenant {tenant_id} has no log, or one with gaps")
    position, now = row
    if time > now:
        raise InFuture(now.astimezone(UTC))
    return Moment(position, time)
