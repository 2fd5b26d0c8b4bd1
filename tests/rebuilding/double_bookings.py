"""What must never be in a log: two live claims for one resource at one time, at any position."""

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from uuid import UUID

from eventsourcing.persistence import StoredEvent

from domain.booking import Booking
from domain.claims import claims_from
from domain.mapper import EventMapper
from infra.log.reader import RecordedEvent

Slot = tuple[UUID, datetime, datetime]


def double_bookings(log: Sequence[RecordedEvent]) -> list[int]:
    """The positions at which something was booked that was taken.

    An atomic group's events have one moment; what it comes to is looked at when it is complete.
    """
    mapper = EventMapper()
    slots: dict[UUID, list[Slot]] = {}
    found = []
    for place, event in enumerate(log):
        if not event.topic.startswith(Booking.TOPIC):
            continue
        stored = StoredEvent(event.stream_id, event.version, event.topic, event.state.encode())
        changes = claims_from([mapper.to_domain_event(stored, event.recorded_at)])
        for booking_id in changes.vacated:
            slots.pop(booking_id, None)
        for claim in changes.claimed:
            slot = (claim.resource_id, claim.start_time, claim.end_time)
            slots.setdefault(claim.booking_id, []).append(slot)
        group_goes_on = place + 1 < len(log) and log[place + 1].metadata == event.metadata
        if changes.claimed and not group_goes_on and _overlap(slots):
            found.append(event.seq)
    return found


def _overlap(slots: dict[UUID, list[Slot]]) -> bool:
    taken = sorted(slot for of_booking in slots.values() for slot in of_booking)
    return any(one[0] == other[0] and other[1] < one[2] for one, other in pairwise(taken))
