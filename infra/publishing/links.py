"""The links of resources: made, found and revoked by their tenant."""

from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import TupleRow, class_row

from domain.ids import ResourceId, TenantId
from infra.identity import new_id
from infra.log.announcing import CHANNEL
from infra.publishing.tokens import Published

# A link that is in force stays as it is. What was public before under another link may still be
# kept by a CDN: it counts as changed with the revocation, not here.
_PUBLISH = """
insert into booking.public_link as kept (tenant_id, resource_id, link_id, made_by)
select tenant_id, resource_id, %(link_id)s, %(made_by)s
  from booking.resource
 where tenant_id = %(tenant_id)s and resource_id = %(resource_id)s
    on conflict on constraint public_link_pk do update
   set link_id = excluded.link_id, made_at = clock_timestamp(), made_by = excluded.made_by,
       revoked_at = null
 where kept.revoked_at is not null
"""
# The pages of a tenant are followed from its first link on.
_FOLLOW = """
insert into booking.public_link_checkpoint (tenant_id, seq)
select tenant_id, seq
  from booking.tenant_head
 where tenant_id = %(tenant_id)s
    on conflict on constraint public_link_checkpoint_pk do nothing
"""
_UNPUBLISH = """
update booking.public_link
   set revoked_at = clock_timestamp(), changes = changes + 1,
       stale_since = coalesce(stale_since, clock_timestamp())
 where tenant_id = %(tenant_id)s and resource_id = %(resource_id)s and revoked_at is null
"""
_FIND = """
select resource_id, link_id, made_at, made_by
  from booking.public_link
 where tenant_id = %(tenant_id)s and resource_id = %(resource_id)s and revoked_at is null
"""
# The names and the clock that a page goes by.
_OPEN = """
select resource.name, resource.timezone, statement_timestamp() as now
  from booking.public_link link
  join booking.resource resource
    on resource.tenant_id = link.tenant_id
   and resource.resource_id = link.resource_id
 where link.tenant_id = %(tenant_id)s
   and link.resource_id = %(resource_id)s
   and link.link_id = %(link_id)s
   and link.revoked_at is null
"""


@dataclass(frozen=True, slots=True)
class PublicLink:
    """A link that is in force.

    Attributes:
        resource_id: whose availability it opens.
        link_id: its own id, which no earlier link of the resource had.
        made_at: since when there is this one, in UTC.
        made_by: the actor.
    """

    resource_id: ResourceId
    link_id: UUID
    made_at: datetime
    made_by: str


@dataclass(frozen=True, slots=True)
class OpenedLink:
    """What a link opens.

    Attributes:
        name: of the resource.
        timezone: IANA name of the zone it stands in.
        now: by the database's clock.
    """

    name: str
    timezone: str
    now: datetime


async def publish(
    conn: AsyncConnection[TupleRow], tenant_id: TenantId, resource_id: ResourceId, actor: str
) -> PublicLink | None:
    """Make the link of a resource, unless it has one.

    Args:
        conn: in a transaction of the tenant.
        tenant_id: whose.
        resource_id: which.
        actor: who wants it.

    Returns:
        The link; None where the tenant has no such resource.
    """
    which = {"tenant_id": tenant_id, "resource_id": resource_id}
    await conn.execute(_FOLLOW, which)
    await conn.execute(_PUBLISH, {**which, "link_id": new_id(), "made_by": actor})
    return await find_link(conn, tenant_id, resource_id)


async def unpublish(
    conn: AsyncConnection[TupleRow], tenant_id: TenantId, resource_id: ResourceId
) -> bool:
    """Revoke the link of a resource.

    Args:
        conn: in a transaction of the tenant.
        tenant_id: whose.
        resource_id: which.

    Returns:
        Whether it had one.
    """
    which = {"tenant_id": tenant_id, "resource_id": resource_id}
    revoked = (await conn.execute(_UNPUBLISH, which)).rowcount > 0
    if revoked:  # no event tells of it; with the commit, whoever purges looks at once
        await conn.execute("select pg_notify(%s, %s)", [CHANNEL, tenant_id.hex])
    return revoked


async def find_link(
    conn: AsyncConnection[TupleRow], tenant_id: TenantId, resource_id: ResourceId
) -> PublicLink | None:
    """Find the link of a resource.

    Args:
        conn: in a transaction of the tenant.
        tenant_id: whose.
        resource_id: which.

    Returns:
        It; None where there is none in force.
    """
    which = {"tenant_id": tenant_id, "resource_id": resource_id}
    async with conn.cursor(row_factory=class_row(PublicLink)) as cursor:
        await cursor.execute(_FIND, which)
        return await cursor.fetchone()


async def open_link(conn: AsyncConnection[TupleRow], published: Published) -> OpenedLink | None:
    """Follow a link.

    Args:
        conn: in a transaction of the tenant that it names.
        published: what its token names.

    Returns:
        What it opens; None where it is not in force any more.
    """
    async with conn.cursor(row_factory=class_row(OpenedLink)) as cursor:
        await cursor.execute(_OPEN, asdict(published))
        return await cursor.fetchone()
