"""A log told again as it happened, event by event, each with what it changed.

Personal data is told by the key that it is sealed with, and stays sealed: nobody's data is read for
this, and who was forgotten since is told to be.
"""

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from eventsourcing.persistence import MapperDeserialisationError, StoredEvent
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from domain.booking import Booking
from domain.changes import OutOfPlace, Step, step
from domain.ids import TenantId
from domain.mapper import EventMapper, Folded, UnknownTopic, UnknownVersion
from domain.resource import Resource
from infra.log.hash_chain import EPOCH, ChainedEvent
from infra.proof.reading import log_in_parts

_UNREADABLE = (
    MapperDeserialisationError,
    OutOfPlace,
    UnknownTopic,
    UnknownVersion,
    OverflowError,  # a time in no year
)


@dataclass(frozen=True, slots=True)
class Replayed:
    """One event, as it is told again.

    Attributes:
        seq: its position.
        stream_id: the booking, resource or customer that it happened to.
        topic: what happened.
        recorded_at: when; None where that cannot be read.
        actor: who caused it; None where that cannot be read.
        called: the title or name of what it happened to, if it has one.
        step: what it changed; None where it cannot be read.
    """

    seq: int
    stream_id: UUID
    topic: str
    recorded_at: datetime | None
    actor: str | None
    called: str | None
    step: Step | None


@dataclass(slots=True)
class Cast:
    """Who and what a log tells of, as far as it has been told.

    Attributes:
        forgotten: the keys of customers whose data nobody can read any more.
        names: of resources.
    """

    forgotten: set[UUID] = field(default_factory=set)
    names: dict[UUID, str] = field(default_factory=dict)


async def replay(
    conn: AsyncConnection[TupleRow], tenant_id: TenantId, until: int, cast: Cast
) -> AsyncIterator[Replayed]:
    """Tells a log again, from its first event on.

    Args:
        conn: of the tables' owner, in autocommit.
        tenant_id: whose.
        until: the last position.
        cast: is kept up with what is told.

    Yields:
        The events in order. What of a stream follows an event that cannot be read cannot either.
    """
    cast.forgotten |= await select_forgotten(conn, tenant_id)
    mapper = EventMapper()
    things: dict[bytes, Folded] = {}
    async for events in log_in_parts(conn, tenant_id, 0, until):
        for event in events:
            taken = _take(mapper, things.get(event.stream), event)
            if taken is not None:
                things[event.stream] = taken.thing
                if isinstance(taken.thing, Resource):
                    cast.names[taken.thing.id] = taken.thing.name
            yield _told(event, taken)


def _take(mapper: EventMapper, thing: Folded | None, event: ChainedEvent) -> Step | None:
    stream_id = UUID(bytes=event.stream)
    stored = StoredEvent(stream_id, event.version, event.topic, event.state.encode())
    try:
        return step(thing, mapper.to_domain_event(stored, _time(event)))
    except _UNREADABLE:
        return None


def _told(event: ChainedEvent, taken: Step | None) -> Replayed:
    try:
        recorded_at = _time(event)
    except OverflowError:
        recorded_at = None
    return Replayed(
        seq=event.seq,
        stream_id=UUID(bytes=event.stream),
        topic=event.topic,
        recorded_at=recorded_at,
        actor=_actor(event.metadata),
        called=_called(taken.thing) if taken else None,
        step=taken,
    )


def _time(event: ChainedEvent) -> datetime:
    return EPOCH + timedelta(microseconds=event.recorded_us)


def _actor(metadata: str) -> str | None:
    try:
        read = json.loads(metadata)
    except ValueError:
        return None
    actor = read.get("actor") if isinstance(read, Mapping) else None
    return actor if isinstance(actor, str) else None


def _called(thing: Folded) -> str | None:
    match thing:
        case Booking():
            return thing.title
        case Resource():
            return thing.name
    return None


async def select_forgotten(conn: AsyncConnection[TupleRow], tenant_id: TenantId) -> set[UUID]:
    """Reads the keys of the customers that were forgotten.

    Args:
        conn: of the tables' owner.
        tenant_id: whose.
    """
    # By the log's word: destroying a key and telling of it are one commit.
    cursor = await conn.execute(
        """
        select stream_id
          from booking.event
         where tenant_id = %s and topic = 'customer.forgotten'
        """,
        [tenant_id],
    )
    return {stream_id for (stream_id,) in await cursor.fetchall()}
