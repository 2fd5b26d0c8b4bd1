"""No two live claims ever overlapped: the claims folded along the log, each held against the rest.

What is decided together is appended together: the events of one command stand one after the other
with the same metadata, which name the command. Its claims come when all that it vacates is out, as
in a swap of two bookings. A hold past its expiry that gave way is vacated by an event before.
"""

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from operator import attrgetter
from typing import NamedTuple
from uuid import UUID

from eventsourcing.domain import CanMutateAggregate
from eventsourcing.persistence import MapperDeserialisationError, StoredEvent

from domain.booking_events import (
    Booked,
    Cancelled,
    HoldLapsed,
    HoldPlaced,
    Released,
    Rescheduled,
)
from domain.claims import Claim, claims_from
from domain.ids import BookingId, ResourceId
from domain.mapper import EVENTS, EventMapper, UnknownTopic, UnknownVersion
from infra.log.hash_chain import EPOCH, ChainedEvent
from infra.proof.findings import Findings, Problem

_CLAIMING = frozenset(
    event.TOPIC for event in (HoldPlaced, Booked, Rescheduled, Released, Cancelled, HoldLapsed)
)
"""The events that make claims or end them; the others of a booking leave them where they are."""
_KNOWN = frozenset(event.TOPIC for events in EVENTS.values() for event in events)


class OverlapCheck:
    """Follows a log and keeps the claims that live.

    Attributes:
        claims: how many were made.
    """

    def __init__(self, findings: Findings) -> None:
        """Begins before the first event.

        Args:
            findings: takes what is wrong.
        """
        self.claims = 0
        self._findings = findings
        self._live = _LiveClaims()
        self._mapper = EventMapper()
        self._command: str | None = None
        self._events: list[CanMutateAggregate[UUID]] = []
        self._positions: dict[UUID, int] = {}

    def follow(self, events: Iterable[ChainedEvent]) -> None:
        """Goes on with the next events, in the order in which they stand.

        Args:
            events: any number of them; a command's may be cut in two.
        """
        for event in events:
            if event.metadata != self._command:
                self.finish()
                self._command = event.metadata
            if event.topic in _CLAIMING:
                self._read(event)
            elif event.topic not in _KNOWN:
                self._unreadable(event, f"{event.topic!r} is no event of this program")

    def finish(self) -> None:
        """Applies the last command's events, now that all of them are known."""
        if not self._events:
            return
        changes = claims_from(self._events)
        for booking_id in changes.vacated:
            self._live.vacate(booking_id)
        for claim in changes.claimed:
            self.claims += 1
            for standing in self._live.put(claim):
                self._overlap(claim, standing)
        self._events.clear()
        self._positions.clear()

    def _read(self, event: ChainedEvent) -> None:
        stream_id = UUID(bytes=event.stream)
        stored = StoredEvent(stream_id, event.version, event.topic, event.state.encode())
        try:
            # A moment that says nothing: claims depend on no event's own time.
            self._events.append(self._mapper.to_domain_event(stored, EPOCH))
        except (MapperDeserialisationError, UnknownTopic, UnknownVersion) as error:
            self._unreadable(event, f"{type(error).__name__}: {error}")
        else:
            self._positions[stream_id] = event.seq

    def _unreadable(self, event: ChainedEvent, why: str) -> None:
        self._findings.add(
            Problem.UNREADABLE, why, position=event.seq, stream_id=UUID(bytes=event.stream)
        )

    def _overlap(self, claim: Claim, standing: "_Span") -> None:
        self._findings.add(
            Problem.OVERLAP,
            f"it claims resource {claim.resource_id} from {claim.start_time.isoformat()} to "
            f"{claim.end_time.isoformat()}, which booking {standing.booking_id} claims from "
            f"{standing.start_time.isoformat()} to {standing.end_time.isoformat()}",
            position=self._positions.get(claim.booking_id),
            stream_id=claim.booking_id,
        )


class _Span(NamedTuple):
    """A live claim of a resource, in the order in which they start."""

    start_time: datetime
    end_time: datetime
    booking_id: BookingId


class _LiveClaims:
    """The claims of each resource by their start.

    As long as none overlap, whoever overlaps a new one is beside it: the look is a binary search.
    """

    def __init__(self) -> None:
        self._of_resource: dict[ResourceId, list[_Span]] = defaultdict(list)
        self._of_booking: dict[BookingId, list[tuple[ResourceId, _Span]]] = defaultdict(list)

    def put(self, claim: Claim) -> list[_Span]:
        """Add a claim, and tell which of its neighbours it overlaps."""
        span = _Span(claim.start_time, claim.end_time, claim.booking_id)
        spans = self._of_resource[claim.resource_id]
        place = bisect_left(spans, span.start_time, key=attrgetter("start_time"))
        in_the_way = [other for other in spans[max(0, place - 1) : place + 1] if _meet(span, other)]
        insort(spans, span)
        self._of_booking[claim.booking_id].append((claim.resource_id, span))
        return in_the_way

    def vacate(self, booking_id: BookingId) -> None:
        """Remove a booking's claims, if it has any."""
        for resource_id, span in self._of_booking.pop(booking_id, ()):
            spans = self._of_resource[resource_id]
            del spans[bisect_left(spans, span)]


def _meet(one: _Span, other: _Span) -> bool:
    return one.start_time < other.end_time and other.start_time < one.end_time
