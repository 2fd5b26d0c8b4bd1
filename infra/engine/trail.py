"""The log as a trail: a booking's history, and the whole log in pages for those who replay it."""

import json
from collections.abc import Sequence

from eventsourcing.persistence import StoredEvent

from domain.changes import step
from domain.ids import BookingId, TenantId
from domain.mapper import EventMapper, Folded, upcast
from infra.engine.requests import EventPage, HistoryEntry, HistoryPage, LoggedEvent
from infra.log.reader import LOOK_AHEAD, RecordedEvent, select_head, select_page, select_stream_page
from infra.pacing import Pace, Rounds
from infra.postgres.pool import Pool, reading

_BOOKING_TOPICS = "booking."


class AuditTrail:
    """Reads what happened; personal data stays sealed here.

    The trail tells who did what and when, not for whom.
    """

    def __init__(self, pool: Pool, mapper: EventMapper, rounds: Rounds) -> None:
        """Keeps its parts.

        Args:
            pool: connections in autocommit, as a role that row-level security binds.
            mapper: reads events.
            rounds: shared with all other long work.
        """
        self._pool = pool
        self._mapper = mapper
        self._rounds = rounds

    async def history(
        self, tenant_id: TenantId, booking_id: BookingId, after_version: int, limit: int
    ) -> HistoryPage | None:
        """Tells what happened to one booking, and what that changed.

        What a field was before may have been said by any event before, so the booking is folded
        from its first one on, as it is to read it.

        Args:
            tenant_id: whose.
            booking_id: which.
            after_version: the version before the first event wanted; 0 begins at the beginning.
            limit: how many events at most.

        Returns:
            Its history; None when the tenant has no such booking.

        Raises:
            Overloaded: the database could not be asked in time.
        """
        async with reading(self._pool, tenant_id) as connection:
            head = await select_head(connection, tenant_id)
            found = await select_stream_page(
                connection, tenant_id, booking_id, 0, after_version + limit + 1
            )
        if not found or not found[0].topic.startswith(_BOOKING_TOPICS):
            return None
        last = after_version + limit
        return HistoryPage(
            entries=tuple(await self._entries(found[:last], after_version)),
            has_more=len(found) > last,
            as_of=head.seq,
        )

    async def _entries(
        self, events: Sequence[RecordedEvent], after_version: int
    ) -> list[HistoryEntry]:
        pace = Pace(self._rounds)
        entries: list[HistoryEntry] = []
        thing: Folded | None = None
        for event in events:
            stored = StoredEvent(event.stream_id, event.version, event.topic, event.state.encode())
            taken = step(thing, self._mapper.to_domain_event(stored, event.recorded_at))
            thing = taken.thing
            if event.version > after_version:
                entries.append(HistoryEntry(logged_event(event), taken.reason, taken.changes))
            await pace.pause()
        return entries

    async def events(
        self, tenant_id: TenantId, after: int, limit: int, topic: str | None = None
    ) -> EventPage:
        """Reads a part of the log.

        Args:
            tenant_id: whose.
            after: the position before the first one wanted; 0 begins at the beginning.
            limit: how many events at most.
            topic: only events of this topic; None for all.

        Returns:
            The events, and where to go on. A page may be empty and yet not the last: it looks at a
            bounded part of the log.

        Raises:
            Overloaded: the database could not be asked in time.
        """
        async with reading(self._pool, tenant_id) as connection:
            head = await select_head(connection, tenant_id)
            found = await select_page(connection, tenant_id, after, limit, topic)
        looked_at = found[-1].seq if len(found) == limit else min(after + LOOK_AHEAD, head.seq)
        return EventPage(
            events=tuple(logged_event(event) for event in found),
            next_after=max(after, looked_at),
            as_of=head.seq,
        )


def logged_event(event: RecordedEvent) -> LoggedEvent:
    """Tells an event as those read it who replay the log.

    Args:
        event: as it stands there.

    Raises:
        UnknownTopic: it is of a kind that this program does not know.
        UnknownVersion: or of such a version.
    """
    metadata: dict[str, str | None] = json.loads(event.metadata)
    return LoggedEvent(
        seq=event.seq,
        stream_id=event.stream_id,
        version=event.version,
        topic=event.topic,
        data=upcast(event.topic, json.loads(event.state)),
        actor=str(metadata["actor"]),
        impersonator=metadata.get("impersonator"),
        request_id=str(metadata["request_id"]),
        traceparent=metadata["traceparent"],
        recorded_at=event.recorded_at,
    )
