"""From a part of the log to what is told of it: each event with the thing that it happened to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from eventsourcing.domain import CanMutateAggregate
from eventsourcing.persistence import StoredEvent
from psycopg import AsyncConnection
from pydantic_core import from_json

from domain.booking import Booking
from domain.ids import ResourceId, TenantId
from domain.mapper import EventMapper, Folded, fold
from domain.resource import Resource
from infra.live.change import (
    LiveChange,
    availability_changes,
    booking_facts,
    claims_of,
    resource_facts,
    rooms_of,
    touched_by,
)
from infra.log.reader import RecordedEvent, select_page, select_streams
from infra.pacing import Pace, Rounds

EVENTS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a tenant's log, as it was read.

    Attributes:
        tenant_id: whose.
        events: without a gap.
        earlier: of the streams that had begun before, what came before, by stream.
    """

    tenant_id: TenantId
    events: Sequence[RecordedEvent]
    earlier: Mapping[UUID, Sequence[RecordedEvent]]


async def read_part(conn: AsyncConnection, tenant_id: TenantId, after: int, limit: int) -> Part:
    """Read a tenant's next events, and what they go on from.

    Args:
        conn: in a transaction of the tenant.
        tenant_id: whose.
        after: the position before the first one wanted.
        limit: how many at most.

    Raises:
        LookupError: the log lacks an event.
    """
    events = await select_page(conn, tenant_id, after, limit, topic=None)
    if events and events[-1].seq != after + len(events):
        raise LookupError(f"the log lacks an event after position {after}")
    begun = {event.stream_id for event in events if event.version == 1}
    going_on = {event.stream_id for event in events} - begun
    earlier = await select_streams(conn, tenant_id, going_on, after) if going_on else {}
    return Part(tenant_id, events, earlier)


class Deriving:
    """Makes changes of events."""

    def __init__(self, mapper: EventMapper, rounds: Rounds) -> None:
        """Keep its parts.

        Args:
            mapper: reads events of every version.
            rounds: shared with all other long work.
        """
        self._mapper = mapper
        self._rounds = rounds

    async def changes(self, part: Part) -> Sequence[LiveChange]:
        """Make changes of a part of the log, one of each event.

        Args:
            part: as it was read.

        Raises:
            LookupError: a newer program has written one of the events.
            ValueError: one cannot be read.
        """
        pace = Pace(self._rounds)
        things: dict[UUID, Folded] = {}
        for stream, events in part.earlier.items():
            await pace.pause()
            if (thing := fold(map(self._event, events))) is not None:
                things[stream] = thing
        changes = []
        for recorded in part.events:
            await pace.pause()
            changes.append(self._change(part.tenant_id, recorded, things))
        return changes

    def _event(self, recorded: RecordedEvent) -> CanMutateAggregate[UUID]:
        return self._mapper.to_domain_event(
            StoredEvent(
                recorded.stream_id, recorded.version, recorded.topic, recorded.state.encode()
            ),
            recorded.recorded_at,
        )

    def _change(
        self,
        tenant_id: TenantId,
        recorded: RecordedEvent,
        things: dict[UUID, Folded],
    ) -> LiveChange:
        """Let an event happen to its thing, which is altered, and tell of it."""
        event, before = self._event(recorded), things.get(recorded.stream_id)
        claimed, named = claims_of(before), _named_by(before)
        thing = event.mutate(before)
        if not isinstance(thing, Folded):
            raise TypeError(f"{type(thing).__name__} is not an aggregate of this domain")
        things[recorded.stream_id] = thing
        resources = tuple(dict.fromkeys([*named, *_named_by(thing)]))
        return LiveChange(
            position=recorded.seq,
            topic=recorded.topic,
            time=recorded.recorded_at,
            actor=str(from_json(recorded.metadata)["actor"]),
            booking=booking_facts(thing) if isinstance(thing, Booking) else None,
            resource=resource_facts(thing) if isinstance(thing, Resource) else None,
            availability=availability_changes(claimed, claims_of(thing)),
            rooms=rooms_of(tenant_id, thing, resources),
            touched=touched_by(event, thing, resources),
        )


def _named_by(thing: Folded | None) -> tuple[ResourceId, ...]:
    return thing.resource_ids if isinstance(thing, Booking) else ()
