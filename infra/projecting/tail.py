"""The log as projections read it: pages of events, brought up to today's versions."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from pydantic_core import from_json

from domain.ids import TenantId
from domain.mapper import upcast
from projections.asynchronous import UpcastEvent

# The upper bound says to a planner that knows nothing of the table how few rows these are. There
# are no gaps, so that it takes nothing away.
_PAGE = """
select seq, stream_id, version, topic, state, metadata, recorded_at
  from booking.event
 where tenant_id = %(tenant_id)s and seq > %(after)s and seq <= %(until)s
 order by seq
"""


async def read_page(
    conn: AsyncConnection[TupleRow], tenant_id: TenantId, after: int, limit: int
) -> Sequence[UpcastEvent]:
    """Read a tenant's next events.

    Args:
        conn: of a role that may read the log.
        tenant_id: whose.
        after: the position before the first one wanted.
        limit: how many at most.

    Returns:
        The events, without a gap from `after` on.

    Raises:
        LookupError: the log lacks an event, or names a topic or version that is not known.
        ValueError: a state is not JSON.
    """
    parameters = {"tenant_id": tenant_id, "after": after, "until": after + limit}
    async with conn.cursor(binary=True) as cursor:
        await cursor.execute(_PAGE, parameters)
        rows = await cursor.fetchall()
    events = [_upcast(*row) for row in rows]
    if events and events[-1].seq != after + len(events):
        raise LookupError(f"the log lacks an event after position {after}")
    return events


def _upcast(
    seq: int,
    stream_id: UUID,
    version: int,
    topic: str,
    state: str,
    metadata: str,
    recorded_at: datetime,
) -> UpcastEvent:
    return UpcastEvent(
        seq, stream_id, version, topic, upcast(topic, from_json(state)), metadata, recorded_at
    )
