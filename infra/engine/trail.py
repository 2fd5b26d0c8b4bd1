"""The log as a trail: a booking's history, and the whole log in pages for those who replay it."""

import json

from domain.ids import BookingId, TenantId
from domain.mapper import upcast
from infra.engine.requests import EventPage, HistoryPage, LoggedEvent
from infra.log.reader import LOOK_AHEAD, RecordedEvent, select_head, select_page, select_stream_page
from infra.postgres.pool import Pool, reading

_BOOKING_TOPICS = "booking."


class AuditTrail:
    """Reads what happened; personal data stays sealed here.

    The trail tells who did what and when, not for whom.
    """

    def __init__(self, pool: Pool) -> None:
        """Keeps the pool.

        Args:
            pool: connections in autocommit, as a role that row-level security binds.
        """
        self._pool = pool

    async def history(
        self, tenant_id: TenantId, booking_id: BookingId, after_version: int, limit: int
    ) -> HistoryPage | None:
        """Tells what happened to one booking.

        Args:
            tenant_id: whose.
            booking_id: which.
            after_version: the version before the first event wanted; 0 begins at the beginning.
            limit: how many events at most.

        Returns:
            Its events; None when the tenant has no such booking.

        Raises:
            Overloaded: the database could not be asked in time.
        """
        async with reading(self._pool, tenant_id) as connection:
            head = await select_head(connection, tenant_id)
            first = await select_stream_page(connection, tenant_id, booking_id, 0, 1)
            if not first or not first[0].topic.startswith(_BOOKING_TOPICS):
                return None
            found = await select_stream_page(
                connection, tenant_id, booking_id, after_version, limit + 1
            )
        return HistoryPage(
            events=tuple(_logged(event) for event in found[:limit]),
            has_more=len(found) > limit,
            as_of=head.seq,
        )

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
            events=tuple(_logged(event) for event in found),
            next_after=max(after, looked_at),
            as_of=head.seq,
        )


def _logged(event: RecordedEvent) -> LoggedEvent:
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
