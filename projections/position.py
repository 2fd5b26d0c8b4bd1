"""How far a tenant's log reaches: the position that a read of the inline projections is true at."""

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
