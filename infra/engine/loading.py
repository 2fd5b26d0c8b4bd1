"""Looking at streams: loads that wait together travel together, recent streams are remembered."""

import asyncio
from collections import OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from domain.ids import TenantId
from domain.mapper import EventMapper
from infra.engine.view import Loaded, View, restore
from infra.log.reader import Head, RecordedEvent, select_head, select_streams
from infra.pacing import Pace
from infra.postgres.pool import Pool, reading

Streams = dict[UUID, list[RecordedEvent]]
_Stream = tuple[TenantId, UUID]


@dataclass(slots=True)
class _Trip:
    """One round trip in the making: whoever asks before it leaves is on board."""

    stream_ids: set[UUID] = field(default_factory=set)
    found: "asyncio.Future[tuple[Head, Streams]]" = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class StreamLoader:
    """Loads streams, one trip a tenant at a time; what is asked meanwhile takes the next one."""

    def __init__(self, pool: Pool, mapper: EventMapper) -> None:
        """Keeps its parts.

        Args:
            pool: connections in autocommit, as a role that row-level security binds.
            mapper: reads events of every version.
        """
        self._pool = pool
        self._mapper = mapper
        self._gathering: dict[TenantId, _Trip] = {}
        self._travelling: dict[TenantId, asyncio.Task[None]] = {}
        self._recent = RecentStreams()

    async def fresh(self, tenant_id: TenantId, stream_ids: Collection[UUID]) -> View:
        """Looks at streams as they are now.

        Args:
            tenant_id: whose.
            stream_ids: which; those without events will not be in the view.

        Returns:
            A view of things that nobody else holds.

        Raises:
            Overloaded: the database could not be asked in time.
        """
        trip = self._gathering.get(tenant_id)
        if trip is None:
            trip = self._gathering[tenant_id] = _Trip()
            if tenant_id not in self._travelling:
                travel = asyncio.get_running_loop().create_task(self._travel(tenant_id))
                self._travelling[tenant_id] = travel
        trip.stream_ids.update(stream_ids)
        # Others are on the same trip: one who leaves must not take it away from them.
        head, found = await asyncio.shield(trip.found)
        streams = {stream: found[stream] for stream in stream_ids if stream in found}
        for stream, events in streams.items():
            self._recent.remember(tenant_id, stream, events)
        return self._view(streams, head.now, head.seq, fresh=True)

    def recent(
        self, tenant_id: TenantId, stream_ids: Collection[UUID], now: datetime
    ) -> View | None:
        """Looks at streams as this process saw them last.

        Args:
            tenant_id: whose.
            stream_ids: which.
            now: this process's time.

        Returns:
            A view that may accept and never refuse; None where one of them is not remembered.
        """
        streams: Streams = {}
        for stream in stream_ids:
            events = self._recent.recall(tenant_id, stream)
            if events is None:
                return None
            streams[stream] = events
        return self._view(streams, now, 0, fresh=False)

    async def as_of(
        self, tenant_id: TenantId, stream_ids: Collection[UUID], until: int, pace: Pace
    ) -> View:
        """Looks at streams as they were at a position.

        Args:
            tenant_id: whose.
            stream_ids: which.
            until: the last position that counts.
            pace: of the work; they may be many, and long.

        Raises:
            Overloaded: the database could not be asked in time.
        """
        async with reading(self._pool, tenant_id) as connection:
            head = await select_head(connection, tenant_id)
            streams = await select_streams(connection, tenant_id, stream_ids, until)
        loaded: dict[UUID, Loaded] = {}
        for stream, events in streams.items():
            await pace.pause()
            thing = restore(self._mapper, events)
            if thing is not None:
                loaded[stream] = thing
        return View(now=head.now, head=until, loaded=loaded, fresh=True)

    def remember(self, tenant_id: TenantId, appended: Sequence[RecordedEvent]) -> None:
        """Keeps events just appended, where the rest of their streams is remembered.

        Args:
            tenant_id: whose.
            appended: in their order.
        """
        for event in appended:
            self._recent.follow(tenant_id, event)

    async def _travel(self, tenant_id: TenantId) -> None:
        try:
            while trip := self._gathering.pop(tenant_id, None):
                try:
                    async with reading(self._pool, tenant_id) as connection:
                        head = await select_head(connection, tenant_id)
                        streams = await select_streams(connection, tenant_id, trip.stream_ids)
                except Exception as error:  # noqa: BLE001 - those on board raise it, each for itself
                    trip.found.set_exception(error)
                    trip.found.exception()  # it is not lost, even if all of them have left
                else:
                    trip.found.set_result((head, streams))
        finally:
            del self._travelling[tenant_id]

    def _view(self, streams: Streams, now: datetime, head: int, *, fresh: bool) -> View:
        loaded = {stream: restore(self._mapper, events) for stream, events in streams.items()}
        return View(
            now=now,
            head=head,
            loaded={stream: thing for stream, thing in loaded.items() if thing is not None},
            fresh=fresh,
        )


class RecentStreams:
    """What this process has seen of streams lately, as the log has it; bounded by events."""

    def __init__(self, most_events: int = 10_000, longest_stream: int = 50) -> None:
        """Remembers nothing yet.

        Args:
            most_events: over all streams; what was used longest ago goes first.
            longest_stream: a stream of more events is not remembered.
        """
        self._most_events = most_events
        self._longest_stream = longest_stream
        self._streams: OrderedDict[_Stream, list[RecordedEvent]] = OrderedDict()
        self._events = 0

    def recall(self, tenant_id: TenantId, stream_id: UUID) -> list[RecordedEvent] | None:
        """Gives a stream as it was seen last; None if it is not remembered."""
        found = self._streams.get((tenant_id, stream_id))
        if found is not None:
            self._streams.move_to_end((tenant_id, stream_id))
        return found

    def remember(self, tenant_id: TenantId, stream_id: UUID, events: list[RecordedEvent]) -> None:
        """Keeps a stream, unless a longer state of it is known."""
        stream = tenant_id, stream_id
        before = self._streams.get(stream, [])
        if len(before) < len(events):
            self._keep(stream, before, events)

    def follow(self, tenant_id: TenantId, event: RecordedEvent) -> None:
        """Keeps a stream's next event, if all before it are remembered."""
        stream = tenant_id, event.stream_id
        before = self._streams.get(stream, [])
        if len(before) == event.version - 1:
            self._keep(stream, before, [*before, event])

    def _keep(
        self, stream: _Stream, before: list[RecordedEvent], events: list[RecordedEvent]
    ) -> None:
        if before:
            del self._streams[stream]  # what is kept now was used last
            self._events -= len(before)
        if len(events) > self._longest_stream:
            return
        self._streams[stream] = events
        self._events += len(events)
        while self._events > self._most_events:
            _, oldest = self._streams.popitem(last=False)
            self._events -= len(oldest)
