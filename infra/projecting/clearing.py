"""Clearing away the rows of a generation that is not read any more, some at a time."""

from collections.abc import Sequence

from psycopg import AsyncConnection, sql
from psycopg.rows import TupleRow

from domain.ids import TenantId

_DELETE = sql.SQL("""
delete from booking.{table}
 where ctid = any (array(
           select ctid
             from booking.{table}
            where tenant_id = %(tenant_id)s and generation = %(generation)s
            limit %(limit)s))
""")


async def clear(
    conn: AsyncConnection[TupleRow],
    tenant_id: TenantId,
    generation: int,
    tables: Sequence[str],
    rows: int,
) -> bool:
    """Delete some rows of a generation.

    Args:
        conn: in the transaction that has locked its checkpoint.
        tenant_id: whose.
        generation: which.
        tables: of its projection.
        rows: how many at most.

    Returns:
        Whether there may be more.
    """
    for table in tables:
        deleted = await conn.execute(
            _DELETE.format(table=sql.Identifier(table)),
            {"tenant_id": tenant_id, "generation": generation, "limit": rows},
        )
        if deleted.rowcount:
            return True
    return False
