"""What a tenant's projections would be if they were folded from its log now: their shadows.

The log is read in batches, without a lock: it has no gaps and nothing in it changes, so what was
read once stays true, and going on from there misses nothing.
"""

from collections.abc import Sequence
from uuid import UUID

from eventsourcing.domain import OriginatorIDError, OriginatorVersionError
from eventsourcing.persistence import MapperDeserialisationError, StoredEvent
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from domain.mapper import EVENTS, EventMapper, UnknownTopic
from infra.log.reader import RecordedEvent, select_page
from infra.rebuilding.errors import LogUnreadable
from infra.rebuilding.tenants import Tenant
from projections.inline import Fold, InlineProjection, PlacedEvent

EVENTS_AT_ONCE = 2000

_KNOWN_TOPICS = frozenset(event.TOPIC for events in EVENTS.values() for event in events)
_UNREADABLE = (
    LookupError,  # a topic or version that is not known, or a step of what never began
    MapperDeserialisationError,
    OriginatorIDError,
    OriginatorVersionError,
)


class Shadow:
    """The folds of some projections of one tenant, up to a position of its log.

    Attributes:
        tenant: whose.
        folds: what is folded, each with what it has come to.
        position: of the last event followed.
        touched: streams that had events since whoever compares has emptied this.
    """

    def __init__(
        self,
        conn: AsyncConnection[TupleRow],
        tenant: Tenant,
        projections: Sequence[InlineProjection],
    ) -> None:
        """Begin before the first event.

        Args:
            conn: of the tables' owner.
            tenant: whose log.
            projections: what to fold.
        """
        self.tenant = tenant
        self.folds: dict[InlineProjection, Fold] = {each: each.fold() for each in projections}
        self.position = 0
        self.touched: set[UUID] = set()
        self._conn = conn
        self._mapper = EventMapper()

    async def catch_up(self) -> None:
        """Follow the log until nothing is left of it but what is being appended meanwhile.

        Raises:
            LogUnreadable: it lacks an event, or has one that cannot be read.
        """
        while await self._follow_batch() == EVENTS_AT_ONCE:
            pass

    async def follow_to(self, head: int) -> None:
        """Follow the log to its end.

        Args:
            head: its last position, in this transaction's snapshot or under its lock.

        Raises:
            LogUnreadable: it lacks an event, or has one that cannot be read.
        """
        while self.position < head:
            if not await self._follow_batch():
                raise self._lacking()

    async def _follow_batch(self) -> int:
        page = await select_page(
            self._conn, self.tenant.tenant_id, self.position, EVENTS_AT_ONCE, topic=None
        )
        # After a gap the look-ahead of a page may end before the next event: then nothing is found.
        if [event.seq for event in page] != [
            *range(self.position + 1, self.position + len(page) + 1)
        ]:
            raise self._lacking()
        try:
            for projection, fold in self.folds.items():
                fold.follow([self._read(e) for e in page if _concerns(e, projection)])
        except _UNREADABLE as error:
            raise LogUnreadable(
                f"The log of {self.tenant.slug!r} cannot be read after position {self.position}: "
                f"{type(error).__name__}: {error}. Was it written by a later version of this "
                "program? Then use that one. Nothing was changed."
            ) from error
        self.touched.update(event.stream_id for event in page)
        self.position += len(page)
        return len(page)

    def _read(self, event: RecordedEvent) -> PlacedEvent:
        stored = StoredEvent(event.stream_id, event.version, event.topic, event.state.encode())
        return PlacedEvent(event.seq, self._mapper.to_domain_event(stored, event.recorded_at))

    def _lacking(self) -> LogUnreadable:
        return LogUnreadable(
            f"The log of {self.tenant.slug!r} lacks an event soon after position {self.position}: "
            "what would be folded from it cannot be relied on. Restore the table booking.event "
            "from a backup first. Nothing was changed."
        )


def _concerns(event: RecordedEvent, projection: InlineProjection) -> bool:
    if event.topic not in _KNOWN_TOPICS:
        raise UnknownTopic(event.topic)
    return event.topic in projection.topics
