"""From events to bookings as they are: a batch comes to rows that are new, and rows that change."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

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
from projections.asynchronous import Batch, Projection, UpcastEvent
from projections.bookings.reach import reach_of

Columns = dict[str, Any]

_INSERT = """
insert into bookings
select *
  from jsonb_populate_recordset(null::bookings, %(rows)s::text::jsonb)
"""

# Rows are looked up by their whole keys, and then by their places: no planner that takes the table
# for empty, since nobody has analysed it yet, can choose to read all of it.

# What a change names replaces what the row has; null is a value, too.
_UPDATE = """
update bookings
   set (status, resource_ids, start_time, end_time, reach, hold_expires_at, title, customer,
        customer_version, notes, reference, attributes, version, position, updated_at)
     = (select status, resource_ids, start_time, end_time, reach, hold_expires_at, title, customer,
               customer_version, notes, reference, attributes, version, position, updated_at
          from jsonb_populate_record(bookings, changed.columns))
  from jsonb_to_recordset(%(changes)s::text::jsonb) changed (booking_id uuid, columns jsonb)
 where bookings.ctid = (
           select ctid
             from bookings
            where tenant_id = %(tenant_id)s
              and generation = %(generation)s
              and booking_id = changed.booking_id)
"""

_LEAVE_RESOURCES = """
delete from bookings_resource
 where ctid = any (array(
           select (select ctid
                     from bookings_resource
                    where tenant_id = %(tenant_id)s
                      and generation = %(generation)s
                      and bookings_resource.resource_id = left_id
                      and bookings_resource.start_time = bookings.start_time
                      and bookings_resource.booking_id = bookings.booking_id)
             from bookings
            cross join unnest(resource_ids) left_id
            where tenant_id = %(tenant_id)s
              and generation = %(generation)s
              and booking_id = any (%(moved)s)))
"""

_JOIN_RESOURCES = """
insert into bookings_resource (
    tenant_id, generation, resource_id, start_time, booking_id, end_time)
select tenant_id, generation, unnest(resource_ids), start_time, booking_id, end_time
  from bookings
 where tenant_id = %(tenant_id)s
   and generation = %(generation)s
   and booking_id = any (%(placed)s)
"""

_STATUS_AFTER: Mapping[str, Columns] = {
    Confirmed.TOPIC: {"status": "confirmed", "hold_expires_at": None},
    Released.TOPIC: {"status": "released"},
    Cancelled.TOPIC: {"status": "cancelled"},
    HoldLapsed.TOPIC: {"status": "lapsed"},
}


class RowMissing(LookupError):
    """An event changes a booking that none has begun: the log or the table is damaged."""


async def project(batch: Batch) -> None:
    """Do to the bookings what events say.

    Args:
        batch: of events that happened to bookings.

    Raises:
        RowMissing: a booking that is changed is not there.
    """
    new, changed = _changes(batch)
    if changed:
        await _change(batch, changed)
    if new:
        await batch.conn.execute(_INSERT, {"rows": to_json([*new.values()]).decode()})
    placed = [*new, *_moved(changed)]
    if placed:
        await batch.conn.execute(_JOIN_RESOURCES, {**_of(batch), "placed": placed})


async def _change(batch: Batch, changed: Mapping[UUID, Columns]) -> None:
    moved = [*_moved(changed)]
    if moved:
        await batch.conn.execute(_LEAVE_RESOURCES, {**_of(batch), "moved": moved})
    changes = [{"booking_id": booking, "columns": new} for booking, new in changed.items()]
    updated = await batch.conn.execute(
        _UPDATE, {**_of(batch), "changes": to_json(changes).decode()}
    )
    if updated.rowcount < len(changed):
        raise RowMissing(f"{len(changed) - updated.rowcount} bookings to change are not there")


def _changes(batch: Batch) -> tuple[dict[UUID, Columns], dict[UUID, Columns]]:
    """Fold the events of a batch into whole rows, and into columns of rows that there are."""
    new: dict[UUID, Columns] = {}
    changed: dict[UUID, Columns] = {}
    for event in batch.events:
        row = new.get(event.stream_id)
        if event.topic in _BEGINNINGS:
            new[event.stream_id] = _beginning(batch, event)
        elif row is not None:
            row |= _columns_after(event)
        else:
            changed.setdefault(event.stream_id, {}).update(_columns_after(event))
    return new, changed


_BEGINNINGS = {HoldPlaced.TOPIC: "held", Booked.TOPIC: "confirmed"}


def _beginning(batch: Batch, event: UpcastEvent) -> Columns:
    return {
        **event.facts,
        "tenant_id": batch.tenant_id,
        "generation": batch.generation,
        "booking_id": event.stream_id,
        "status": _BEGINNINGS[event.topic],
        "reach": _reach(event.facts),
        "customer_version": event.version,
        "version": event.version,
        "position": event.seq,
        "created_at": event.recorded_at,
        "updated_at": event.recorded_at,
    }


def _columns_after(event: UpcastEvent) -> Columns:
    columns: Columns = {
        "version": event.version,
        "position": event.seq,
        "updated_at": event.recorded_at,
    }
    if event.topic == Rescheduled.TOPIC:
        columns |= event.facts
        columns["reach"] = _reach(event.facts)
    elif event.topic == Amended.TOPIC:
        columns |= event.facts["changes"]
        if "customer" in columns:
            columns["customer_version"] = event.version
    else:
        columns |= _STATUS_AFTER[event.topic]
    return columns


def _reach(facts: Mapping[str, Any]) -> int:
    start_time, end_time = facts["start_time"], facts["end_time"]
    return reach_of(datetime.fromisoformat(start_time), datetime.fromisoformat(end_time))


def _moved(changed: Mapping[UUID, Columns]) -> Iterator[UUID]:
    return (booking for booking, columns in changed.items() if "start_time" in columns)


def _of(batch: Batch) -> Columns:
    return {"tenant_id": batch.tenant_id, "generation": batch.generation}


_HANDLED = frozenset(event.TOPIC for event in EVENTS[Booking])

BOOKINGS = Projection(
    name="bookings",
    version=1,
    handles=_HANDLED,
    ignores=frozenset(event.TOPIC for events in EVENTS.values() for event in events) - _HANDLED,
    tables=("bookings", "bookings_resource"),
    apply=project,
)
