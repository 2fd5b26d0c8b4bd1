"""What of the public pages a CDN may have as it was: counted with the log, paid off by purges.

Two steps, each in a transaction: events are turned into changes of links, together with the
checkpoint, so that each event counts once; and what is stale is purged, and then noted as such
unless it has changed meanwhile. Whatever is killed in between is purged once more, and none is
lost. A resource that changes a hundred times before its turn is purged once.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import AsyncConnection
from psycopg.rows import TupleRow, class_row

from domain.ids import ResourceId, TenantId
from infra.cdn.purger import MOST_TAGS
from infra.projecting.settings import REAL_TABLES, set_for_projecting
from infra.projecting.tail import read_page
from infra.publishing.touched import resources_touched

EVENTS_AT_ONCE = 500

_BEHIND = """
select checkpoint.tenant_id
  from booking.public_link_checkpoint checkpoint
  join booking.tenant_head head using (tenant_id)
 where checkpoint.seq < head.seq
   and (%(tenants)s::uuid[] is null or checkpoint.tenant_id = any(%(tenants)s))
"""
_LOCK = """
select seq
  from booking.public_link_checkpoint
 where tenant_id = %(tenant_id)s
   for update skip locked
"""
# One statement, one snapshot: a link that is made after it shows pages no older than this head.
_STANDING = """
select head.seq,
       exists (select from booking.public_link
                where public_link.tenant_id = head.tenant_id and revoked_at is null)
  from booking.tenant_head head
 where head.tenant_id = %(tenant_id)s
"""
_MARK = """
update booking.public_link
   set changes = changes + 1, stale_since = coalesce(stale_since, clock_timestamp())
 where tenant_id = %(tenant_id)s and resource_id = any(%(resources)s) and revoked_at is null
"""
_ADVANCE = """
update booking.public_link_checkpoint set seq = %(seq)s where tenant_id = %(tenant_id)s
"""

# One at a time: what two purge at once, both spend the CDN's patience on.
_TURN = "select pg_try_advisory_xact_lock(hashtextextended('booking.public_link', 0))"
_STALE = """
select tenant_id, resource_id, changes
  from booking.public_link
 where stale_since is not null
 order by stale_since
 limit %(limit)s
"""
# What has changed since it was read is as stale as it was.
_FRESH = """
update booking.public_link
   set stale_since = null
  from unnest(%(tenants)s::uuid[], %(resources)s::uuid[], %(changes)s::bigint[])
       purged (tenant_id, resource_id, changes)
 where public_link.tenant_id = purged.tenant_id
   and public_link.resource_id = purged.resource_id
   and public_link.changes = purged.changes
"""
# Beside the lag of projections, so that it is told wherever that is.
_MEASURE = """
insert into booking.projection_lag as kept (projection, events, seconds, parked, measured_at)
select %(name)s, count(*),
       coalesce(max(greatest(0, extract(epoch from clock_timestamp() - stale_since))), 0),
       0, clock_timestamp()
  from booking.public_link
 where stale_since is not null
    on conflict on constraint projection_lag_pk do update
   set events = excluded.events, seconds = excluded.seconds, measured_at = excluded.measured_at
"""

LAG_NAME = "cdn"
"""Under which it is told how many pages are stale, and since when the oldest."""


@dataclass(frozen=True, slots=True)
class StalePage:
    """A resource whose pages a CDN may have as they were.

    Attributes:
        tenant_id: whose resource.
        resource_id: which.
        changes: how often they have changed.
    """

    tenant_id: TenantId
    resource_id: ResourceId
    changes: int


async def tenants_behind(
    conn: AsyncConnection[TupleRow], tenants: Sequence[TenantId] | None
) -> list[TenantId]:
    """Tell the tenants with links, whose logs have more events than were counted.

    Args:
        conn: of the role `booking_projector`.
        tenants: among these; None for all.
    """
    cursor = await conn.execute(_BEHIND, {"tenants": None if tenants is None else [*tenants]})
    return [tenant_id for (tenant_id,) in await cursor.fetchall()]


async def count_changes(conn: AsyncConnection[TupleRow], tenant_id: TenantId) -> bool:
    """Count what a tenant's next events have changed; in one transaction with the checkpoint.

    Args:
        conn: of the role `booking_projector`, in no transaction.
        tenant_id: whose.

    Returns:
        Whether there may be more.

    Raises:
        LookupError: the log names a topic or version that is not known, or lacks an event.
        ValueError: a state is not JSON.
    """
    which = {"tenant_id": tenant_id}
    async with conn.transaction():
        await set_for_projecting(conn, REAL_TABLES)
        locked = await (await conn.execute(_LOCK, which)).fetchone()
        standing = await (await conn.execute(_STANDING, which)).fetchone()
        if locked is None or standing is None:  # somebody else counts, or there is no link
            return False
        (seq,), (head, any_link) = locked, standing
        if not any_link:
            await conn.execute(_ADVANCE, {**which, "seq": head})
            return False
        events = await read_page(conn, tenant_id, seq, EVENTS_AT_ONCE)
        touched = await resources_touched(conn, tenant_id, events)
        if touched:
            await conn.execute(_MARK, {**which, "resources": [*touched]})
        if events:
            await conn.execute(_ADVANCE, {**which, "seq": events[-1].seq})
    return len(events) == EVENTS_AT_ONCE


async def its_my_turn(conn: AsyncConnection[TupleRow]) -> bool:
    """Tell whether nobody else purges; nobody else will until the end.

    Args:
        conn: of the role `booking_projector`, in a transaction.
    """
    row = await (await conn.execute(_TURN)).fetchone()
    return row == (True,)


async def stale_pages(conn: AsyncConnection[TupleRow], most: int = MOST_TAGS) -> list[StalePage]:
    """Read what is stale, the longest first.

    Args:
        conn: of the role `booking_projector`.
        most: how many of them; one purge can have MOST_TAGS.
    """
    async with conn.cursor(row_factory=class_row(StalePage)) as cursor:
        await cursor.execute(_STALE, {"limit": most})
        return await cursor.fetchall()


async def note_purged(conn: AsyncConnection[TupleRow], pages: Sequence[StalePage]) -> None:
    """Note what a CDN no longer has.

    Args:
        conn: of the role `booking_projector`.
        pages: as they were read before the purge.
    """
    await conn.execute(
        _FRESH,
        {
            "tenants": [page.tenant_id for page in pages],
            "resources": [page.resource_id for page in pages],
            "changes": [page.changes for page in pages],
        },
    )


async def measure_staleness(conn: AsyncConnection[TupleRow]) -> None:
    """Measure what the CDN has not been told of, and keep it where every process can read it.

    Args:
        conn: of the role `booking_projector`.
    """
    await conn.execute(_MEASURE, {"name": LAG_NAME})
