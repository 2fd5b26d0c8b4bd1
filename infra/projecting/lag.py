"""How far the projections are behind the log, all tenants taken together."""

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import AsyncConnection
from psycopg.rows import TupleRow, class_row

# Of each tenant's generations the one that is read, or the newest where none is read yet. The age
# is that of the first event that is not applied: looked up by its key, only where there is one.
_MEASURE = """
insert into booking.projection_lag as kept (projection, events, seconds, parked, measured_at)
select wanted.projection,
       coalesce(sum(head.seq - checkpoint.seq), 0),
       coalesce(max(greatest(0, extract(epoch from clock_timestamp() - waiting.recorded_at))), 0),
       count(checkpoint.parked_at),
       clock_timestamp()
  from unnest(%(projections)s::text[]) wanted (projection)
  left join (
           select distinct on (tenant_id, projection) *
             from booking.projection_checkpoint
            order by tenant_id, projection, is_live desc, generation desc
       ) checkpoint on checkpoint.projection = wanted.projection
  left join booking.tenant_head head
    on head.tenant_id = checkpoint.tenant_id
  left join lateral (
           select recorded_at
             from booking.event
            where event.tenant_id = checkpoint.tenant_id
              and event.seq = checkpoint.seq + 1
       ) waiting on checkpoint.seq < head.seq
 group by wanted.projection
    on conflict on constraint projection_lag_pk do update
   set events = excluded.events, seconds = excluded.seconds, parked = excluded.parked,
       measured_at = excluded.measured_at
"""

_READ = """
select projection, events, seconds, parked,
       extract(epoch from clock_timestamp() - measured_at)::double precision as age
  from booking.projection_lag
 order by projection
"""


@dataclass(frozen=True, slots=True)
class Lag:
    """How far one projection is behind.

    Attributes:
        projection: which.
        events: that are not applied yet, of all tenants.
        seconds: the age of the oldest of them; 0 if there is none.
        parked: how many tenants' events cannot be applied any further.
        age: how many seconds ago a runner measured this; many if none runs.
    """

    projection: str
    events: int
    seconds: float
    parked: int
    age: float


async def measure(conn: AsyncConnection[TupleRow], projections: Sequence[str]) -> None:
    """Measure how far projections are behind, and keep it where every process can read it.

    Args:
        conn: of the role `booking_projector`.
        projections: their names.
    """
    await conn.execute(_MEASURE, {"projections": sorted(projections)})


async def read_lags(conn: AsyncConnection[TupleRow]) -> list[Lag]:
    """Read what was measured last.

    Args:
        conn: of the role `booking_background`: the figures are of all tenants.
    """
    async with conn.cursor(row_factory=class_row(Lag)) as cursor:
        await cursor.execute(_READ)
        return await cursor.fetchall()
