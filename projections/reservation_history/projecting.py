"""From events to what was reserved when: each that changes it ends what was known, and begins anew.

What only amends details changes nothing here: those are folded from the events of the bookings that
are found.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.rows import TupleRow
from pydantic_core import to_json

from domain.booking import Booking
from domain.booking_events import (
    Amended,
    Booked,
    Cancelled,
    Confirmed,
    HoldLapsed,
    HoldPlaced,
    Released,
    Rescheduled,
)
from domain.mapper import EVENTS
from domain.resource_events import Registered, Retired
from projections.asynchronous import Batch, Projection, UpcastEvent
from projections.bookings.reach import reach_of

Columns = dict[str, Any]
Time = datetime | str
"""A time as a column has it, or as an event does."""

# What is known of a booking last began at the highest position: the key leads there, however long
# the booking's history is. Rows are looked up by their keys, and then by their places: no planner
# that thinks little of the table can choose to read all of it.
_END = """
with ended as materialized (
    select ending.known_until, known.place
      from unnest(%(bookings)s::uuid[], %(positions)s::bigint[]) ending (booking_id, known_until)
     cross join lateral (
               select ctid as place
                 from reservation_history
                where tenant_id = %(tenant_id)s
                  and generation = %(generation)s
                  and booking_id = ending.booking_id
                  and known_from = (
                          select known_from
                            from reservation_history
                           where tenant_id = %(tenant_id)s
                             and generation = %(generation)s
                             and booking_id = ending.booking_id
                           order by known_from desc
                           limit 1)
               offset 0
           ) known
)
update reservation_history
   set known_until = ended.known_until
  from ended
 where ctid = ended.place
returning booking_id, resource_id, is_first, start_time, end_time, reach, hold_expires_at
"""

_KNOW = """
insert into reservation_history (
    tenant_id, generation, booking_id, known_from, resource_id, is_first, status, start_time,
    end_time, reach, hold_expires_at, known_until)
select %(tenant_id)s, %(generation)s, booking_id, known_from, resource_id, nth = 1, status,
       start_time, end_time, reach, hold_expires_at, known_until
  from jsonb_to_recordset(%(known)s::text::jsonb) known (
           booking_id uuid, known_from bigint, known_until bigint, status text, resource_ids uuid[],
           start_time timestamptz, end_time timestamptz, reach smallint,
           hold_expires_at timestamptz)
 cross join unnest(resource_ids) with ordinality resource (resource_id, nth)
"""

_REGISTER = """
insert into resource_lifetime (tenant_id, generation, resource_id, known_from)
select %(tenant_id)s, %(generation)s, resource_id, known_from
  from unnest(%(resources)s::uuid[], %(positions)s::bigint[]) registered (resource_id, known_from)
"""

_RETIRE = """
update resource_lifetime
   set retired_from = retired.retired_from
  from unnest(%(resources)s::uuid[], %(positions)s::bigint[]) retired (resource_id, retired_from)
 where resource_lifetime.tenant_id = %(tenant_id)s
   and resource_lifetime.generation = %(generation)s
   and resource_lifetime.resource_id = retired.resource_id
"""

_BEGINNINGS = {HoldPlaced.TOPIC: "held", Booked.TOPIC: "confirmed"}
_ENDINGS = {Released.TOPIC: "released", Cancelled.TOPIC: "cancelled", HoldLapsed.TOPIC: "lapsed"}


class RowMissing(LookupError):
    """An event changes what none has begun: the log or the table is damaged."""


@dataclass(frozen=True, slots=True)
class Reserved:
    """What a booking reserves, or reserved when it ended.

    Attributes:
        status: where the booking stands.
        resource_ids: its resources, the first one first.
        start_time: when it starts.
        end_time: when it ends, exclusive.
        reach: the class of its duration.
        hold_expires_at: when the hold lapses; None lasts until released.
    """

    status: str
    resource_ids: Sequence[UUID | str]
    start_time: Time
    end_time: Time
    reach: int
    hold_expires_at: Time | None


async def project(batch: Batch) -> None:
    """Note what was reserved from each event on.

    Args:
        batch: of events that change what is reserved, or can be.

    Raises:
        RowMissing: a booking or resource that is changed is not there.
    """
    await _register_and_retire(batch)
    events = [event for event in batch.events if event.topic not in _OF_RESOURCES]
    reserved = await _end(batch, events)
    known = [*_known(events, reserved)]
    if known:
        await batch.conn.execute(_KNOW, {**_of(batch), "known": to_json(known).decode()})


async def _end(batch: Batch, events: Sequence[UpcastEvent]) -> dict[UUID, Reserved]:
    """End what is known of bookings from before the batch, and tell what that was."""
    firsts: dict[UUID, UpcastEvent] = {}
    for event in events:
        firsts.setdefault(event.stream_id, event)
    ended = {
        booking: event.seq for booking, event in firsts.items() if event.topic not in _BEGINNINGS
    }
    if not ended:
        return {}
    parameters = {**_of(batch), "bookings": [*ended], "positions": [*ended.values()]}
    cursor = await batch.conn.execute(_END, parameters, binary=True)
    reserved = _reserved(await cursor.fetchall())
    if len(reserved) < len(ended):
        raise RowMissing(f"{len(ended) - len(reserved)} bookings to change are not there")
    return reserved


def _reserved(rows: Sequence[TupleRow]) -> dict[UUID, Reserved]:
    reserved: dict[UUID, Reserved] = {}
    for booking, resource, is_first, start_time, end_time, reach, hold_expires_at in rows:
        before = reserved.get(booking)
        others = () if before is None else before.resource_ids
        resource_ids = (resource, *others) if is_first else (*others, resource)
        # The status is told by the event that comes, in every case.
        reserved[booking] = Reserved("", resource_ids, start_time, end_time, reach, hold_expires_at)
    return reserved


def _known(events: Sequence[UpcastEvent], reserved: dict[UUID, Reserved]) -> Iterator[Columns]:
    """Tell what was known from each event on, and until which, if that is one of the batch."""
    still: dict[UUID, Columns] = {}
    for event in events:
        booking = event.stream_id
        reserved[booking] = now = _reserved_after(event, reserved.get(booking))
        if before := still.get(booking):
            before["known_until"] = event.seq
            yield before
        still[booking] = {
            "booking_id": booking,
            "known_from": event.seq,
            "known_until": None,
            "status": now.status,
            "resource_ids": now.resource_ids,
            "start_time": now.start_time,
            "end_time": now.end_time,
            "reach": now.reach,
            "hold_expires_at": now.hold_expires_at,
        }
    yield from still.values()


def _reserved_after(event: UpcastEvent, before: Reserved | None) -> Reserved:
    if event.topic in _BEGINNINGS:
        return _told(event.facts, _BEGINNINGS[event.topic])
    if event.topic == Rescheduled.TOPIC:
        return _told(event.facts, event.facts["status"])
    if before is None:
        raise RowMissing("a booking to change is not there")
    if event.topic == Confirmed.TOPIC:
        return replace(before, status="confirmed", hold_expires_at=None)
    return replace(before, status=_ENDINGS[event.topic])


def _told(facts: Mapping[str, Any], status: str) -> Reserved:
    start_time, end_time = facts["start_time"], facts["end_time"]
    return Reserved(
        status=status,
        resource_ids=facts["resource_ids"],
        start_time=start_time,
        end_time=end_time,
        reach=reach_of(datetime.fromisoformat(start_time), datetime.fromisoformat(end_time)),
        hold_expires_at=facts.get("hold_expires_at"),
    )


async def _register_and_retire(batch: Batch) -> None:
    registered = {e.stream_id: e.seq for e in batch.events if e.topic == Registered.TOPIC}
    retired = {e.stream_id: e.seq for e in batch.events if e.topic == Retired.TOPIC}
    if registered:
        parameters = {"resources": [*registered], "positions": [*registered.values()]}
        await batch.conn.execute(_REGISTER, {**_of(batch), **parameters})
    if retired:
        parameters = {"resources": [*retired], "positions": [*retired.values()]}
        updated = await batch.conn.execute(_RETIRE, {**_of(batch), **parameters})
        if updated.rowcount < len(retired):
            raise RowMissing(f"{len(retired) - updated.rowcount} resources to retire are not there")


def _of(batch: Batch) -> Columns:
    return {"tenant_id": batch.tenant_id, "generation": batch.generation}


_OF_RESOURCES = frozenset({Registered.TOPIC, Retired.TOPIC})
_HANDLED = _OF_RESOURCES | {event.TOPIC for event in EVENTS[Booking]} - {Amended.TOPIC}

RESERVATION_HISTORY = Projection(
    name="reservation_history",
    version=1,
    handles=_HANDLED,
    ignores=frozenset(event.TOPIC for events in EVENTS.values() for event in events) - _HANDLED,
    tables=("reservation_history", "resource_lifetime"),
    apply=project,
)
