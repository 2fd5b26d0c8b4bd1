"""How far the asynchronous projections of a tenant are, build by build."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from psycopg import AsyncConnection
from psycopg.rows import TupleRow, class_row

from domain.ids import TenantId

_STANDINGS = """
select projection, generation, version, checkpoint.seq, head.seq - checkpoint.seq as behind,
       is_live, parked_at, parked_seq, parked_error
  from booking.projection_checkpoint checkpoint
  join booking.tenant_head head
    on head.tenant_id = checkpoint.tenant_id
 where checkpoint.tenant_id = %(tenant_id)s
   and projection = any (%(projections)s)
 order by projection, generation
"""


@dataclass(frozen=True, slots=True)
class GenerationStanding:
    """How far one build of a projection is.

    Attributes:
        projection: which.
        generation: which build.
        version: of the code that builds it.
        seq: the last event that is in its rows.
        behind: events of the log that are not.
        is_live: whether it is read.
        parked_at: since when no event is applied; None where all is well.
        parked_seq: the event that could not be applied.
        parked_error: why.
    """

    projection: str
    generation: int
    version: int
    seq: int
    behind: int
    is_live: bool
    parked_at: datetime | None
    parked_seq: int | None
    parked_error: str | None


async def generation_standings(
    conn: AsyncConnection[TupleRow], tenant_id: TenantId, projections: Collection[str]
) -> list[GenerationStanding]:
    """Tell how far projections are.

    Args:
        conn: of the tables' owner.
        tenant_id: whose.
        projections: their names.
    """
    async with conn.cursor(row_factory=class_row(GenerationStanding)) as cursor:
        await cursor.execute(_STANDINGS, {"tenant_id": tenant_id, "projections": [*projections]})
        return await cursor.fetchall()
