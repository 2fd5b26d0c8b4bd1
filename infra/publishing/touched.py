"""Which resources' public pages are others after some events."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from pydantic_core import from_json

from domain.booking_events import Booked, Cancelled, HoldLapsed, HoldPlaced, Released, Rescheduled
from domain.ids import ResourceId, TenantId
from domain.mapper import upcast
from domain.resource_events import Changed, Retired
from projections.asynchronous import UpcastEvent

_CLAIMING = (HoldPlaced.TOPIC, Booked.TOPIC, Rescheduled.TOPIC)
_CLAIMING_NO_MORE = (Rescheduled.TOPIC, Released.TOPIC, Cancelled.TOPIC, HoldLapsed.TOPIC)
_OF_RESOURCES = (Changed.TOPIC, Retired.TOPIC)

# Whoever gives up a claim does not say which: the event that made it does.
_CLAIMED_BEFORE = """
select made.topic, made.state
  from unnest(%(streams)s::uuid[], %(versions)s::int[]) ended (stream_id, version)
 cross join lateral (
           select topic, state
             from booking.event
            where event.tenant_id = %(tenant_id)s
              and event.stream_id = ended.stream_id
              and event.version < ended.version
              and event.topic = any(%(topics)s)
            order by event.version desc
            limit 1
       ) made
"""


async def resources_touched(
    conn: AsyncConnection[TupleRow], tenant_id: TenantId, events: Sequence[UpcastEvent]
) -> set[ResourceId]:
    """Tell the resources of which something else is free, or that are called otherwise.

    A hold that was confirmed keeps what it had; what was amended claims nothing.

    Args:
        conn: of a role that may read the log.
        tenant_id: whose events.
        events: some, in their order.

    Raises:
        LookupError: the log names a topic or version that is not known.
    """
    touched = {ResourceId(event.stream_id) for event in events if event.topic in _OF_RESOURCES}
    for event in events:
        if event.topic in _CLAIMING:
            touched |= _claimed(event.facts["resource_ids"])
    ended = [event for event in events if event.topic in _CLAIMING_NO_MORE]
    if ended:
        cursor = await conn.execute(
            _CLAIMED_BEFORE,
            {
                "tenant_id": tenant_id,
                "streams": [event.stream_id for event in ended],
                "versions": [event.version for event in ended],
                "topics": [*_CLAIMING],
            },
        )
        async for topic, state in cursor:
            facts: Mapping[str, Any] = upcast(topic, from_json(state))
            touched |= _claimed(facts["resource_ids"])
    return touched


def _claimed(named: Iterable[str]) -> set[ResourceId]:
    return {ResourceId(UUID(one)) for one in named}
