"""The checkpoints: which generation of which projection has which tenant's events, and up to where.

Whoever has locked the checkpoints of a tenant projects its events; everybody else passes them by.
So any number of runners share the tenants with no leader and nothing to configure.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from psycopg import AsyncConnection
from psycopg.rows import TupleRow, class_row

from domain.ids import TenantId
from projections.asynchronous import Projection

# An absent row cannot be locked, so each is made before it is needed. Where a newer program has
# begun a generation of a later version, this one begins none: the later version wins.
_BEGIN = """
insert into booking.projection_checkpoint (tenant_id, projection, generation, version)
select head.tenant_id, wanted.projection, coalesce(newest.generation, 0) + 1, wanted.version
  from booking.tenant_head head
 cross join unnest(%(projections)s::text[], %(versions)s::int[]) wanted (projection, version)
  left join lateral (
           select generation, version
             from booking.projection_checkpoint
            where projection_checkpoint.tenant_id = head.tenant_id
              and projection_checkpoint.projection = wanted.projection
            order by generation desc
            limit 1
       ) newest on true
 where (newest.version is null or newest.version < wanted.version)
   and (%(tenant_id)s::uuid is null or head.tenant_id = %(tenant_id)s)
    on conflict on constraint projection_checkpoint_pk do nothing
"""

# What is superseded is nobody's to go on with, but anybody's to clear away, whatever its version.
_LOCK = """
select checkpoint.projection, checkpoint.generation, checkpoint.version, checkpoint.seq,
       checkpoint.is_live, coalesce(live.generation > checkpoint.generation, false) as superseded
  from unnest(%(projections)s::text[], %(versions)s::int[]) mine (projection, version)
  join booking.projection_checkpoint checkpoint
    on checkpoint.tenant_id = %(tenant_id)s
   and checkpoint.projection = mine.projection
  left join lateral (
           select generation
             from booking.projection_checkpoint
            where projection_checkpoint.tenant_id = checkpoint.tenant_id
              and projection_checkpoint.projection = checkpoint.projection
              and projection_checkpoint.is_live
       ) live on true
 where checkpoint.parked_at is null and checkpoint.version = mine.version
    or live.generation > checkpoint.generation
 order by checkpoint.projection, checkpoint.generation
   for update of checkpoint skip locked
"""

_ADVANCE = """
update booking.projection_checkpoint
   set seq = %(seq)s
  from unnest(%(projections)s::text[], %(generations)s::int[]) reached (projection, generation)
 where projection_checkpoint.tenant_id = %(tenant_id)s
   and projection_checkpoint.projection = reached.projection
   and projection_checkpoint.generation = reached.generation
"""

_LOCK_LIVE = """
select seq
  from booking.projection_checkpoint
 where tenant_id = %(tenant_id)s and projection = %(projection)s and is_live
   for update
"""
_STAND_DOWN = """
update booking.projection_checkpoint
   set is_live = false
 where tenant_id = %(tenant_id)s and projection = %(projection)s and is_live
"""
_STAND_UP = """
update booking.projection_checkpoint
   set is_live = true
 where tenant_id = %(tenant_id)s and projection = %(projection)s and generation = %(generation)s
"""
_FORGET = """
delete from booking.projection_checkpoint
 where tenant_id = %(tenant_id)s and projection = %(projection)s and generation = %(generation)s
"""

_PARK = """
update booking.projection_checkpoint
   set parked_at = clock_timestamp(), parked_seq = %(seq)s, parked_error = %(error)s
 where tenant_id = %(tenant_id)s and projection = %(projection)s and generation = %(generation)s
   and parked_at is null
"""
_RETRY = """
update booking.projection_checkpoint
   set parked_at = null, parked_seq = null, parked_error = null
 where projection = %(projection)s
   and (%(tenant_id)s::uuid is null or tenant_id = %(tenant_id)s)
   and parked_at is not null
"""
_BEGIN_ANEW = """
insert into booking.projection_checkpoint (tenant_id, projection, generation, version)
select tenant_id, projection, max(generation) + 1, max(version)
  from booking.projection_checkpoint
 where tenant_id = %(tenant_id)s and projection = %(projection)s
 group by tenant_id, projection
returning generation
"""

# The full comparison of heads with checkpoints: for the poll alone.
_BEHIND = """
select distinct checkpoint.tenant_id
  from unnest(%(projections)s::text[], %(versions)s::int[]) mine (projection, version)
  join booking.projection_checkpoint checkpoint
    on checkpoint.projection = mine.projection
  join booking.tenant_head head
    on head.tenant_id = checkpoint.tenant_id
 where checkpoint.parked_at is null
   and (checkpoint.seq < head.seq and checkpoint.version = mine.version or not checkpoint.is_live)
"""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far one generation of a projection is with one tenant's log.

    Attributes:
        projection: its name.
        generation: one build of it.
        version: that of the code that builds it.
        seq: the last event that is in its rows; 0 for none.
        is_live: whether it is the one that is read.
        superseded: whether a later one is; then nothing is done with it but clearing it away.
    """

    projection: str
    generation: int
    version: int
    seq: int
    is_live: bool
    superseded: bool


class Checkpoints:
    """The checkpoints of some projections."""

    def __init__(self, projections: Collection[Projection]) -> None:
        """Keep the projections.

        Args:
            projections: of one name there may be several versions, as long as the earlier one is
                to be kept up while the later one is built.
        """
        self._mine = {
            "projections": [projection.name for projection in projections],
            "versions": [projection.version for projection in projections],
        }
        newest = {
            projection.name: projection.version
            for projection in sorted(projections, key=lambda each: each.version)
        }
        self._newest = {"projections": [*newest.keys()], "versions": [*newest.values()]}

    async def begin(
        self, conn: AsyncConnection[TupleRow], tenant_id: TenantId | None = None
    ) -> int:
        """Make the checkpoints that are missing.

        Args:
            conn: of the role `booking_projector`.
            tenant_id: whose; None for all tenants.

        Returns:
            How many were.
        """
        cursor = await conn.execute(_BEGIN, {**self._newest, "tenant_id": tenant_id})
        return cursor.rowcount

    async def behind(self, conn: AsyncConnection[TupleRow]) -> list[TenantId]:
        """Tell the tenants with which there is something to do.

        Args:
            conn: of the role `booking_projector`.
        """
        cursor = await conn.execute(_BEHIND, self._mine)
        return [tenant_id for (tenant_id,) in await cursor.fetchall()]

    async def lock(
        self, conn: AsyncConnection[TupleRow], tenant_id: TenantId
    ) -> Sequence[Checkpoint]:
        """Lock the checkpoints of a tenant that nobody else has locked, until the end.

        Args:
            conn: of the role `booking_projector`, in a transaction.
            tenant_id: whose.

        Returns:
            Those that can be gone on with, or cleared away.
        """
        async with conn.cursor(row_factory=class_row(Checkpoint)) as cursor:
            await cursor.execute(_LOCK, {**self._mine, "tenant_id": tenant_id})
            return await cursor.fetchall()


async def advance(
    conn: AsyncConnection[TupleRow],
    tenant_id: TenantId,
    checkpoints: Sequence[Checkpoint],
    seq: int,
) -> None:
    """Note how far some generations have come.

    Args:
        conn: in the transaction that has locked the checkpoints and written the rows.
        tenant_id: whose.
        checkpoints: of the generations.
        seq: the last event that is in their rows now.
    """
    await conn.execute(
        _ADVANCE,
        {
            "tenant_id": tenant_id,
            "projections": [checkpoint.projection for checkpoint in checkpoints],
            "generations": [checkpoint.generation for checkpoint in checkpoints],
            "seq": seq,
        },
    )


async def lock_live(
    conn: AsyncConnection[TupleRow], tenant_id: TenantId, projection: str
) -> int | None:
    """Keep the generation that is read from going on, until the end.

    Args:
        conn: in a transaction.
        tenant_id: whose.
        projection: which.

    Returns:
        How far it is; None where none is read yet.
    """
    cursor = await conn.execute(_LOCK_LIVE, {"tenant_id": tenant_id, "projection": projection})
    row = await cursor.fetchone()
    return None if row is None else int(row[0])


async def take_over(
    conn: AsyncConnection[TupleRow], tenant_id: TenantId, checkpoint: Checkpoint
) -> None:
    """Let readers read this generation from the commit on.

    Args:
        conn: in a transaction that has locked this one and the one that was read.
        tenant_id: whose.
        checkpoint: the one that takes over.
    """
    which = {
        "tenant_id": tenant_id,
        "projection": checkpoint.projection,
        "generation": checkpoint.generation,
    }
    await conn.execute(_STAND_DOWN, which)
    await conn.execute(_STAND_UP, which)


async def forget(
    conn: AsyncConnection[TupleRow], tenant_id: TenantId, checkpoint: Checkpoint
) -> None:
    """Forget a generation whose rows are all gone.

    Args:
        conn: in the transaction that has locked it.
        tenant_id: whose.
        checkpoint: which.
    """
    await conn.execute(
        _FORGET,
        {
            "tenant_id": tenant_id,
            "projection": checkpoint.projection,
            "generation": checkpoint.generation,
        },
    )


async def park(
    conn: AsyncConnection[TupleRow],
    tenant_id: TenantId,
    checkpoint: Checkpoint,
    *,
    seq: int,
    error: str,
) -> None:
    """Stop projecting a tenant's events into one generation, until somebody says to try again.

    Args:
        conn: of the role `booking_projector`.
        tenant_id: whose.
        checkpoint: of the generation.
        seq: the event that could not be applied.
        error: why, without anything that a row says.
    """
    await conn.execute(
        _PARK,
        {
            "tenant_id": tenant_id,
            "projection": checkpoint.projection,
            "generation": checkpoint.generation,
            "seq": seq,
            "error": error,
        },
    )


async def retry(
    conn: AsyncConnection[TupleRow], projection: str, tenant_id: TenantId | None
) -> int:
    """Have what is parked tried again.

    Args:
        conn: of the role `booking_projector`, or the owner's.
        projection: which.
        tenant_id: whose; None for all tenants.

    Returns:
        How many were parked.
    """
    parameters = {"projection": projection, "tenant_id": tenant_id}
    return (await conn.execute(_RETRY, parameters)).rowcount


async def begin_anew(
    conn: AsyncConnection[TupleRow], tenant_id: TenantId, projection: str
) -> int | None:
    """Begin another generation beside the one that is read, from the first event on.

    Args:
        conn: of the role `booking_projector`, or the owner's.
        tenant_id: whose.
        projection: which.

    Returns:
        Its number; None where nobody has begun any yet, which the next runner will.
    """
    cursor = await conn.execute(_BEGIN_ANEW, {"tenant_id": tenant_id, "projection": projection})
    row = await cursor.fetchone()
    return None if row is None else int(row[0])
