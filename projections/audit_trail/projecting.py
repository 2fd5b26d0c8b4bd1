"""From events to the audit trail: a line for each, with the resources that it concerns."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from pydantic_core import from_json, to_json

from domain.booking import Booking
from domain.mapper import EVENTS
from domain.resource import Resource
from projections.asynchronous import Batch, Projection, UpcastEvent

_INSERT = """
insert into audit_trail
select *
  from jsonb_populate_recordset(null::audit_trail, %(lines)s::text::jsonb)
"""

_CONCERN_RESOURCES = """
insert into audit_trail_resource (tenant_id, generation, resource_id, position)
select distinct %(tenant_id)s::uuid, %(generation)s::int, resource_id, position
  from jsonb_to_recordset(%(lines)s::text::jsonb)
       line (position bigint, resource_ids uuid[], left_ids uuid[])
 cross join unnest(resource_ids || left_ids) resource_id
"""

_LAST_RESOURCES = """
select wanted.booking_id, last.resource_ids
  from unnest(%(bookings)s::uuid[]) wanted (booking_id)
 cross join lateral (
           select resource_ids
             from audit_trail
            where tenant_id = %(tenant_id)s
              and generation = %(generation)s
              and subject_id = wanted.booking_id
            order by position desc
            limit 1
       ) last
"""

_OF_BOOKINGS = frozenset(event.TOPIC for event in EVENTS[Booking])
_OF_RESOURCES = frozenset(event.TOPIC for event in EVENTS[Resource])
_ALL = frozenset(event.TOPIC for events in EVENTS.values() for event in events)


async def project(batch: Batch) -> None:
    """Write a line for each event.

    Args:
        batch: of events of every kind.
    """
    resources = await _last_resources(batch)
    lines = [_line(batch, event, resources) for event in batch.events]
    written = to_json(lines).decode()
    of = {"tenant_id": batch.tenant_id, "generation": batch.generation}
    await batch.conn.execute(_INSERT, {"lines": written})
    await batch.conn.execute(_CONCERN_RESOURCES, {**of, "lines": written})


async def _last_resources(batch: Batch) -> dict[UUID, Sequence[str]]:
    """Look up what bookings concern that began in an earlier batch."""
    wanted = [*dict.fromkeys(_begun_earlier(batch.events))]
    if not wanted:
        return {}
    found = await batch.conn.execute(
        _LAST_RESOURCES,
        {"tenant_id": batch.tenant_id, "generation": batch.generation, "bookings": wanted},
    )
    return {booking: [str(each) for each in ids] for booking, ids in await found.fetchall()}


def _begun_earlier(events: Collection[UpcastEvent]) -> Iterator[UUID]:
    begun: set[UUID] = set()
    for event in events:
        if event.topic in _OF_BOOKINGS and event.stream_id not in begun:
            begun.add(event.stream_id)
            if event.version > 1:
                yield event.stream_id


def _line(
    batch: Batch, event: UpcastEvent, resources: dict[UUID, Sequence[str]]
) -> Mapping[str, Any]:
    metadata = from_json(event.metadata)
    before = resources.get(event.stream_id, ())
    after = resources[event.stream_id] = _concerned(event, before)
    return {
        "tenant_id": batch.tenant_id,
        "generation": batch.generation,
        "position": event.seq,
        "recorded_at": event.recorded_at,
        "topic": event.topic,
        "subject_id": event.stream_id,
        "version": event.version,
        "resource_ids": after,
        "left_ids": [each for each in before if each not in after],
        "actor": metadata["actor"],
        "impersonator": metadata.get("impersonator"),
        "request_id": metadata["request_id"],
        "traceparent": metadata["traceparent"],
        "command_id": metadata["causation_id"],
        "reason": event.facts.get("reason"),
    }


def _concerned(event: UpcastEvent, before: Sequence[str]) -> Sequence[str]:
    if event.topic in _OF_RESOURCES:
        return (str(event.stream_id),)
    return tuple(event.facts.get("resource_ids", before))


AUDIT_TRAIL = Projection(
    name="audit_trail",
    version=1,
    handles=_ALL,
    ignores=frozenset(),
    tables=("audit_trail", "audit_trail_resource"),
    apply=project,
)
