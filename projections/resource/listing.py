"""The list of a tenant's resources, by name, and the look-up of resources by their names."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from pydantic import JsonValue

from domain.ids import ResourceId, TenantId

# Two statements, since a condition that may be absent ("kind is null or …") keeps the planner from
# both indexes. Names go by code point, the collation of the index: the same order on every server,
# whatever its locale.
_ALL = """
select resource_id, name, kind, timezone, attributes, retired, version, position,
       created_at, updated_at
  from booking.resource
 where tenant_id = %(tenant_id)s
   and (name collate "C", resource_id) > (%(after_name)s, %(after_id)s)
 order by name collate "C", resource_id
 limit %(limit)s
"""
_OF_KIND = """
select resource_id, name, kind, timezone, attributes, retired, version, position,
       created_at, updated_at
  from booking.resource
 where tenant_id = %(tenant_id)s
   and kind = %(kind)s
   and (name collate "C", resource_id) > (%(after_name)s, %(after_id)s)
 order by name collate "C", resource_id
 limit %(limit)s
"""

# Names are not unique. Whoever asks by name means the one that can be booked, and of several the
# one that came first.
_BY_NAMES = """
select wanted.name, found.resource_id
  from unnest(%(names)s::text[]) wanted (name)
 cross join lateral (
           select resource_id
             from booking.resource
            where tenant_id = %(tenant_id)s
              and name collate "C" = wanted.name
            order by retired, created_at, resource_id
            limit 1
       ) found
"""


_NAMES = """
select found.resource_id, found.name
  from unnest(%(resources)s::uuid[]) wanted (resource_id)
 cross join lateral (
           select resource_id, name
             from booking.resource
            where tenant_id = %(tenant_id)s
              and resource.resource_id = wanted.resource_id
       ) found
"""


class ResourceMark(NamedTuple):
    """The place of a resource in the list, which the next page goes on after.

    Attributes:
        name: its name.
        resource_id: its id, since names are not unique.
    """

    name: str
    resource_id: ResourceId


BEGINNING = ResourceMark("", ResourceId(UUID(int=0)))
"""The mark before every resource: no name is empty."""


@dataclass(frozen=True, slots=True)
class ListedResource:
    """A resource as it stands.

    Attributes:
        resource_id: its id.
        name: its name; several resources may share one.
        kind: what it is to the tenant (a room, a stage, a camera …).
        timezone: IANA name of the zone it stands in.
        attributes: whatever the tenant keeps with it.
        retired: whether it takes no new claims.
        version: of its stream.
        position: that of its last event in the tenant's log.
        created_at: when it was registered, in UTC.
        updated_at: when its last event was recorded, in UTC.
    """

    resource_id: ResourceId
    name: str
    kind: str
    timezone: str
    attributes: dict[str, JsonValue]
    retired: bool
    version: int
    position: int
    created_at: datetime
    updated_at: datetime

    @property
    def mark(self) -> ResourceMark:
        """Where the next page goes on, if this resource is the last of its page."""
        return ResourceMark(self.name, self.resource_id)


@dataclass(frozen=True, slots=True)
class ResourcePage:
    """Some resources, by name and id.

    Attributes:
        resources: retired ones among them.
        next_after: the mark to ask the next page with; None if this page is the last.
    """

    resources: tuple[ListedResource, ...]
    next_after: ResourceMark | None


async def list_resources(
    conn: AsyncConnection[TupleRow],
    *,
    tenant_id: TenantId,
    kind: str | None = None,
    after: ResourceMark = BEGINNING,
    limit: int,
) -> ResourcePage:
    """List the tenant's resources, by name (code points) and id.

    Args:
        conn: inside a read-only transaction of the tenant.
        tenant_id: the tenant.
        kind: only resources of this kind; None for all.
        after: the last mark of the page before.
        limit: resources a page, at least 1.

    Returns:
        A page.
    """
    cursor = await conn.execute(
        _ALL if kind is None else _OF_KIND,
        {
            "tenant_id": tenant_id,
            "kind": kind,
            "after_name": after.name,
            "after_id": after.resource_id,
            "limit": limit + 1,  # one more than shown tells whether there is another page
        },
    )
    rows = await cursor.fetchall()
    resources = tuple(_resource(row) for row in rows[:limit])
    return ResourcePage(resources, next_after=resources[-1].mark if len(rows) > limit else None)


async def find_by_names(
    conn: AsyncConnection[TupleRow], *, tenant_id: TenantId, names: Sequence[str]
) -> dict[str, ResourceId]:
    """Find resources by their exact names.

    Args:
        conn: inside a read-only transaction of the tenant.
        tenant_id: the tenant.
        names: what to look for, written as they were registered.

    Returns:
        The id of each name that is taken. Of several resources of one name: one that is not retired
        before one that is, the one registered first before the others.
    """
    cursor = await conn.execute(_BY_NAMES, {"tenant_id": tenant_id, "names": list(names)})
    return dict(await cursor.fetchall())


async def names_of(
    conn: AsyncConnection[TupleRow], *, tenant_id: TenantId, resource_ids: Iterable[ResourceId]
) -> dict[ResourceId, str]:
    """Tell what resources are called.

    Args:
        conn: inside a read-only transaction of the tenant.
        tenant_id: the tenant.
        resource_ids: which.

    Returns:
        The name of each that there is.
    """
    parameters = {"tenant_id": tenant_id, "resources": [*resource_ids]}
    cursor = await conn.execute(_NAMES, parameters)
    return dict(await cursor.fetchall())


def _resource(row: TupleRow) -> ListedResource:
    (
        resource_id,
        name,
        kind,
        timezone,
        attributes,
        retired,
        version,
        position,
        created_at,
        updated_at,
    ) = row
    return ListedResource(
        resource_id=resource_id,
        name=name,
        kind=kind,
        timezone=timezone,
        attributes=attributes,
        retired=retired,
        version=version,
        position=position,
        created_at=created_at.astimezone(UTC),
        updated_at=updated_at.astimezone(UTC),
    )
