"""What was refused, newest first, narrowed by filters, page by page.

A page goes on before the last line of the page before: what comes since is above the first one.
A tenant has a bounded number of refusals: a filter without an index looks at no more than these.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import TupleRow, class_row

from domain.ids import ResourceId, TenantId

_LIST = """
    select refusal_id, refused_at, reason, command, booking_id, resource_ids,
           start_time, end_time, blocking_ids, actor, request_id
      from booking.refusal
     where tenant_id = %(tenant_id)s
       and refused_at >= %(from)s
       and refused_at < %(to)s
       and (refused_at, refusal_id) < (%(before)s, %(before_id)s)
       and (%(reason)s::text is null or reason = %(reason)s)
       and (%(resource_id)s::uuid is null or %(resource_id)s = any (resource_ids))
     order by refused_at desc, refusal_id desc
     limit %(limit)s
"""

_LONG_AGO, _FAR_AHEAD = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)


class RefusalPlace(NamedTuple):
    """Where a page begins.

    Attributes:
        refused_at: of the last line of the page before.
        refusal_id: likewise.
    """

    refused_at: datetime
    refusal_id: UUID


BEGINNING = RefusalPlace(_FAR_AHEAD, UUID(int=0))


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusalFilter:
    """Which refusals are listed; None asks for nothing.

    Attributes:
        reason: one of `REASONS`.
        resource_id: that was wanted, alone or with others.
        start: those at or after this.
        end: those before this.
    """

    reason: str | None = None
    resource_id: ResourceId | None = None
    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, slots=True)
class KeptRefusal:
    """What was refused; see `RefusedCommand`."""

    refusal_id: UUID
    refused_at: datetime
    reason: str
    command: str
    booking_id: UUID | None
    resource_ids: Sequence[UUID]
    start_time: datetime | None
    end_time: datetime | None
    blocking_ids: Sequence[UUID]
    actor: str
    request_id: str


async def list_refusals(
    conn: AsyncConnection[TupleRow],
    *,
    tenant_id: TenantId,
    wanted: RefusalFilter,
    before: RefusalPlace = BEGINNING,
    limit: int,
) -> list[KeptRefusal]:
    """List what was refused to a tenant, newest first.

    Args:
        conn: inside a read-only transaction of the tenant.
        tenant_id: the tenant.
        wanted: which refusals.
        before: the last line of the page before.
        limit: lines at most.
    """
    cursor = conn.cursor(row_factory=class_row(KeptRefusal))
    await cursor.execute(
        _LIST,
        {
            "tenant_id": tenant_id,
            "reason": wanted.reason,
            "resource_id": wanted.resource_id,
            "from": wanted.start or _LONG_AGO,
            "to": wanted.end or _FAR_AHEAD,
            "before": before.refused_at,
            "before_id": before.refusal_id,
            "limit": limit,
        },
    )
    return await cursor.fetchall()
