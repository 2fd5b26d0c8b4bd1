"""The position that a read is true at: the log's end, or how far an asynchronous projection is."""

from dataclasses import dataclass
from datetime import UTC, datetime

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from domain.ids import TenantId

# Inline projections change in the transaction that moves the head; so one snapshot of both needs
# nothing else to tell which position the rows are true at.
_HEAD = """
select seq, hash, recorded_at
  from booking.tenant_head
 where tenant_id = %(tenant_id)s
"""

_LIVE = """
select generation, seq
  from booking.projection_checkpoint
 where tenant_id = %(tenant_id)s
   and projection = %(projection)s
   and is_live
"""


@dataclass(frozen=True, slots=True)
class TenantHead:
    """The end of a tenant's log.

    Attributes:
        seq: position of the last event; 0 while there is none.
        hash: the hash that the last event is chained with; empty while there is none.
        recorded_at: when the last event was recorded, in UTC; 1970 while there is none.
    """

    seq: int
    hash: bytes
    recorded_at: datetime


async def read_head(conn: AsyncConnection[TupleRow], tenant_id: TenantId) -> TenantHead:
    """Read where the tenant's log ends in this snapshot.

    Args:
        conn: inside a transaction of the tenant; REPEATABLE READ, so that what is read beside it
            is true at this head.
        tenant_id: the tenant.

    Returns:
        Its head.

    Raises:
        LookupError: the tenant has no head row. One is made with every tenant, so this is a fault
            of ours.
    """
    cursor = await conn.execute(_HEAD, {"tenant_id": tenant_id})
    row = await cursor.fetchone()
    if row is None:
        raise LookupError(f"tenant {tenant_id} has no head row")
    seq, last_hash, recorded_at = row
    return TenantHead(seq=seq, hash=last_hash, recorded_at=recorded_at.astimezone(UTC))


@dataclass(frozen=True, slots=True)
class LiveGeneration:
    """The build of an asynchronous projection that is read.

    Attributes:
        generation: a part of the key of its rows.
        seq: the last event that is in them.
    """

    generation: int
    seq: int


async def read_live(
    conn: AsyncConnection[TupleRow], tenant_id: TenantId, projection: str
) -> LiveGeneration | None:
    """Read how far an asynchronous projection is in this snapshot.

    Args:
        conn: inside a transaction of the tenant; REPEATABLE READ, so that the rows read beside it
            are those of this position.
        tenant_id: the tenant.
        projection: which.

    Returns:
        The generation to read; None while the first one is still being built.
    """
    cursor = await conn.execute(_LIVE, {"tenant_id": tenant_id, "projection": projection})
    row = await cursor.fetchone()
    return None if row is None else LiveGeneration(*row)
