"""Reading the log: streams to decide on or to answer with, and pages for those who replay it."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import class_row

from domain.ids import TenantId

LOOK_AHEAD = 5000
"""How many events a page may look at to find those of one topic: the bound of its work."""

WHOLE_LOG = 2**63 - 1
"""A position after every event, for reading streams to their end."""


@dataclass(frozen=True, slots=True)
class Head:
    """Where a tenant's log ends, and the database's clock: both of one snapshot."""

    seq: int
    now: datetime


class RecordedEvent(NamedTuple):
    """An event as it stands in the log; state and metadata are the JSON that was written."""

    seq: int
    stream_id: UUID
    version: int
    topic: str
    state: str
    metadata: str
    recorded_at: datetime


async def select_head(connection: AsyncConnection, tenant_id: TenantId) -> Head:
    """Reads where the tenant's log ends.

    Args:
        connection: in a transaction of this tenant.
        tenant_id: whose log.

    Raises:
        LookupError: the tenant has no log.
    """
    cursor = await connection.execute(
        """
        select seq, greatest(recorded_at, clock_timestamp())
          from booking.tenant_head
         where tenant_id = %s
        """,
        (tenant_id,),
    )
    row = await cursor.fetchone()
    if row is None:
        raise LookupError("This tenant has no log.")
    return Head(*row)


async def select_streams(
    connection: AsyncConnection,
    tenant_id: TenantId,
    stream_ids: Collection[UUID],
    until: int = WHOLE_LOG,
) -> dict[UUID, list[RecordedEvent]]:
    """Reads whole streams, each in the order of its versions.

    Args:
        connection: in a transaction of this tenant.
        tenant_id: whose log.
        stream_ids: which streams; a lateral look-up each, on the full key.
        until: the last position to look at.

    Returns:
        The streams that there are; one without events is left out.
    """
    async with connection.cursor(row_factory=class_row(RecordedEvent)) as cursor:
        await cursor.execute(
            """
            select found.seq, found.stream_id, found.version, found.topic, found.state,
                   found.metadata, found.recorded_at
              from unnest(%(streams)s::uuid[]) as wanted (stream_id)
             cross join lateral (
                       select *
                         from booking.event
                        where event.tenant_id = %(tenant)s
                          and event.stream_id = wanted.stream_id
                          and event.seq <= %(until)s
                        order by event.version
                   ) found
            """,
            {"tenant": tenant_id, "streams": list(stream_ids), "until": until},
        )
        streams: dict[UUID, list[RecordedEvent]] = {}
        async for event in cursor:
            streams.setdefault(event.stream_id, []).append(event)
    return streams


async def select_beginners(
    connection: AsyncConnection, tenant_id: TenantId, stream_ids: Collection[UUID]
) -> dict[UUID, str]:
    """Reads who asked for the first event of streams.

    Args:
        connection: in a transaction of this tenant.
        tenant_id: whose log.
        stream_ids: which streams; a look-up each, on the full key.

    Returns:
        The actors, by stream; one without events is left out.
    """
    cursor = await connection.execute(
        """
        select wanted.stream_id, event.metadata::json ->> 'actor'
          from unnest(%s::uuid[]) as wanted (stream_id)
          join booking.event
            on event.tenant_id = %s and event.stream_id = wanted.stream_id and event.version = 1
        """,
        (list(stream_ids), tenant_id),
    )
    return {stream_id: actor async for stream_id, actor in cursor}


async def select_stream_page(
    connection: AsyncConnection,
    tenant_id: TenantId,
    stream_id: UUID,
    after: int,
    limit: int,
) -> list[RecordedEvent]:
    """Reads a part of one stream.

    Args:
        connection: in a transaction of this tenant.
        tenant_id: whose log.
        stream_id: which stream.
        after: the version before the first one wanted.
        limit: how many events at most.
    """
    async with connection.cursor(row_factory=class_row(RecordedEvent)) as cursor:
        await cursor.execute(
            """
            select seq, stream_id, version, topic, state, metadata, recorded_at
              from booking.event
             where tenant_id = %s and stream_id = %s and version > %s
             order by version
             limit %s
            """,
            (tenant_id, stream_id, after, limit),
        )
        return await cursor.fetchall()


async def select_page(
    connection: AsyncConnection,
    tenant_id: TenantId,
    after: int,
    limit: int,
    topic: str | None,
) -> list[RecordedEvent]:
    """Reads a part of the log, at most `LOOK_AHEAD` positions of it where a topic is asked for.

    Without one it is as many positions as events, since there are no gaps. The bound says so to a
    planner that knows nothing of the table and would otherwise read and sort the whole look-ahead.

    Args:
        connection: in a transaction of this tenant.
        tenant_id: whose log.
        after: the position before the first one wanted.
        limit: how many events at most.
        topic: only events of this topic; None for all.
    """
    ahead = limit if topic is None else LOOK_AHEAD
    async with connection.cursor(row_factory=class_row(RecordedEvent)) as cursor:
        await cursor.execute(
            """
            select seq, stream_id, version, topic, state, metadata, recorded_at
              from booking.event
             where tenant_id = %(tenant)s
               and seq > %(after)s and seq <= %(until)s
               and (%(topic)s::text is null or topic = %(topic)s)
             order by seq
             limit %(limit)s
            """,
            {
                "tenant": tenant_id,
                "after": after,
                "until": min(after + ahead, WHOLE_LOG),
                "topic": topic,
                "limit": limit,
            },
        )
        return await cursor.fetchall()
