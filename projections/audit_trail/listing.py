"""The audit trail, newest line first, narrowed by filters, page by page.

A page goes on before the last line of the page before: what comes since is above the first one.
What no index answers is looked for in a bounded number of lines: a page may then have fewer than
asked for, or none, and yet not be the last.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import TupleRow, dict_row

from domain.ids import ResourceId, TenantId

LOOK_AHEAD = 2000
"""How many lines a page may look at to find those that several filters leave."""

BEGINNING = 2**63 - 1
"""A position after every line."""

# One of the four ways to the lines, by what is asked; PostgreSQL does not begin the other three.
# Times grow with positions, so that a period is a part of the positions.
_LIST = """
with part as materialized (
    select coalesce((select position
                       from booking.audit_trail
                      where tenant_id = %(tenant_id)s
                        and generation = %(generation)s
                        and recorded_at >= %(from)s
                      order by recorded_at, position
                      limit 1), %(before)s) as first,
           least(%(before)s, coalesce((select position
                       from booking.audit_trail
                      where tenant_id = %(tenant_id)s
                        and generation = %(generation)s
                        and recorded_at >= %(to)s
                      order by recorded_at, position
                      limit 1), %(before)s)) as before
),
looked as materialized (
   (select position
      from booking.audit_trail
     where tenant_id = %(tenant_id)s
       and generation = %(generation)s
       and subject_id = %(subject_id)s
       and position >= (select first from part)
       and position < (select before from part)
     order by position desc
     limit %(look)s)
    union all
   (select position
      from booking.audit_trail_resource
     where tenant_id = %(tenant_id)s
       and generation = %(generation)s
       and resource_id = %(resource_id)s
       and position >= (select first from part)
       and position < (select before from part)
       and %(subject_id)s::uuid is null
     order by position desc
     limit %(look)s)
    union all
   (select position
      from booking.audit_trail
     where tenant_id = %(tenant_id)s
       and generation = %(generation)s
       and actor = %(actor)s
       and position >= (select first from part)
       and position < (select before from part)
       and %(subject_id)s::uuid is null and %(resource_id)s::uuid is null
     order by position desc
     limit %(look)s)
    union all
   (select position
      from booking.audit_trail
     where tenant_id = %(tenant_id)s
       and generation = %(generation)s
       and position >= (select first from part)
       and position < (select before from part)
       and %(subject_id)s::uuid is null and %(resource_id)s::uuid is null
       and %(actor)s::text is null
     order by position desc
     limit %(look)s)
),
seen as (
    select count(*) as lines, min(position) as lowest
      from looked
),
found as (
    select line.*
      from looked
     cross join lateral (
               select *
                 from booking.audit_trail
                where tenant_id = %(tenant_id)s
                  and generation = %(generation)s
                  and audit_trail.position = looked.position
           ) line
     where (%(resource_id)s::uuid is null
            or %(resource_id)s = any (resource_ids || left_ids))
       and (%(actor)s::text is null or actor = %(actor)s)
       and (%(topic)s::text is null or topic = %(topic)s)
     order by position desc
     limit %(limit)s
)
select seen.lines, seen.lowest, found.*
  from seen
  left join found on true
 order by found.position desc
"""

_LONG_AGO, _FAR_AHEAD = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailFilter:
    """Which lines are listed; None asks for nothing.

    Attributes:
        subject_id: those of this booking or resource.
        resource_id: those that concern this resource: its own, and those of its bookings.
        actor: those that this key or user caused.
        topic: those of this kind.
        start: those recorded at or after this.
        end: those recorded before this.
    """

    subject_id: UUID | None = None
    resource_id: ResourceId | None = None
    actor: str | None = None
    topic: str | None = None
    start: datetime | None = None
    end: datetime | None = None

    @property
    def is_answered_by_an_index(self) -> bool:
        """Whether all that is looked at is found."""
        narrowed = (self.subject_id, self.resource_id, self.actor)
        return self.topic is None and sum(each is not None for each in narrowed) <= 1


@dataclass(frozen=True, slots=True)
class TrailLine:
    """What somebody did.

    Attributes:
        position: of the event in the tenant's log.
        recorded_at: when, in UTC.
        topic: what happened.
        subject_id: the booking or resource that it happened to.
        version: its place among the events of the subject.
        resource_ids: that the subject concerns afterwards.
        left_ids: that it concerned until then.
        actor: who, by id.
        impersonator: who acted in that user's place.
        request_id: by which request.
        traceparent: the trace of that request.
        command_id: by which command of that request.
        reason: as it was given.
    """

    position: int
    recorded_at: datetime
    topic: str
    subject_id: UUID
    version: int
    resource_ids: Sequence[UUID]
    left_ids: Sequence[UUID]
    actor: str
    impersonator: str | None
    request_id: str
    traceparent: str | None
    command_id: UUID | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class TrailPage:
    """Some lines, newest first.

    Attributes:
        lines: perhaps none, although it is not the last page.
        next_before: the position to ask the next page with; None if this page is the last.
    """

    lines: tuple[TrailLine, ...]
    next_before: int | None


async def list_trail(
    conn: AsyncConnection[TupleRow],
    *,
    tenant_id: TenantId,
    generation: int,
    wanted: TrailFilter,
    before: int = BEGINNING,
    limit: int,
) -> TrailPage:
    """List what was done at a tenant's, newest first.

    Args:
        conn: inside a read-only transaction of the tenant.
        tenant_id: the tenant.
        generation: of the rows.
        wanted: which lines.
        before: the last position of the page before.
        limit: lines a page, at least 1.

    Returns:
        A page.
    """
    # One more than shown tells whether there is another page.
    look = limit + 1 if wanted.is_answered_by_an_index else max(LOOK_AHEAD, limit + 1)
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            _LIST,
            {
                "tenant_id": tenant_id,
                "generation": generation,
                "subject_id": wanted.subject_id,
                "resource_id": wanted.resource_id,
                "actor": wanted.actor,
                "topic": wanted.topic,
                "from": wanted.start or _LONG_AGO,
                "to": wanted.end or _FAR_AHEAD,
                "before": before,
                "look": look,
                "limit": limit + 1,
            },
        )
        rows = await cursor.fetchall()
    lines = tuple(_line(row) for row in rows[:limit] if row["position"] is not None)
    if len(rows) > limit:
        return TrailPage(lines, next_before=lines[-1].position)
    if rows[0]["lines"] >= look:
        return TrailPage(lines, next_before=rows[0]["lowest"])
    return TrailPage(lines, next_before=None)


def _line(row: dict[str, Any]) -> TrailLine:
    return TrailLine(**{name: row[name] for name in TrailLine.__dataclass_fields__})
