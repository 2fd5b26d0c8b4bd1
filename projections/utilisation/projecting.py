"""From events to utilisation: what a booking was counted as is taken away, what it is is added.

A booking counts in the days of the time zone that its resource had at the booking's last event.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic_core import to_json

from domain.booking_events import (
    Booked,
    Cancelled,
    Confirmed,
    HoldLapsed,
    HoldPlaced,
    Released,
    Rescheduled,
)
from domain.mapper import EVENTS
from domain.resource_events import Changed, Registered
from projections.asynchronous import Batch, Projection, UpcastEvent

_BOOKINGS = """
select found.booking_id, found.status, found.resource_ids, found.zones, found.start_time,
       found.end_time, found.created_at
  from unnest(%(bookings)s::uuid[]) wanted (booking_id)
 cross join lateral (
           select *
             from utilisation_booking
            where tenant_id = %(tenant_id)s
              and generation = %(generation)s
              and utilisation_booking.booking_id = wanted.booking_id
       ) found
"""
_ZONES = """
select found.resource_id, found.timezone
  from unnest(%(resources)s::uuid[]) wanted (resource_id)
 cross join lateral (
           select *
             from utilisation_resource
            where tenant_id = %(tenant_id)s
              and generation = %(generation)s
              and utilisation_resource.resource_id = wanted.resource_id
       ) found
"""
_KEEP_ZONES = """
insert into utilisation_resource as kept (tenant_id, generation, resource_id, timezone)
select %(tenant_id)s::uuid, %(generation)s::int, resource_id, timezone
  from jsonb_to_recordset(%(zones)s::text::jsonb) zone (resource_id uuid, timezone text)
    on conflict on constraint utilisation_resource_pk do update
   set timezone = excluded.timezone
"""
_KEEP_BOOKINGS = """
insert into utilisation_booking as kept
select *
  from jsonb_populate_recordset(null::utilisation_booking, %(bookings)s::text::jsonb)
    on conflict on constraint utilisation_booking_pk do update
   set status = excluded.status, resource_ids = excluded.resource_ids, zones = excluded.zones,
       start_time = excluded.start_time, end_time = excluded.end_time
"""

# Each booking is cut at the beginnings of the local days; `sign` is -1 where it is taken away.
_COUNT = """
with cut as (
    select part.resource_id, day::date as day, booking.status, sign,
           day::date = first_day as starts,
           booking.start_time - booking.created_at as lead,
           sign * (extract(epoch from least(end_time, day_begins(zone, day::date + 1))
                                    - greatest(start_time, day_begins(zone, day::date)))
                   * 1000000)::bigint as us
      from jsonb_to_recordset(%(counted)s::text::jsonb) booking (
               sign int, status text, resource_ids uuid[], zones text[], start_time timestamptz,
               end_time timestamptz, created_at timestamptz)
     cross join unnest(resource_ids, zones) part (resource_id, zone)
     cross join lateral (
               select (start_time at time zone zone)::date as first_day,
                      ((end_time - interval '1 microsecond') at time zone zone)::date as last_day
           ) days
     cross join generate_series(first_day::timestamp, last_day::timestamp, interval '1 day') day
),
summed as (
    select resource_id, day,
           coalesce(sum(us) filter (where status = 'held'), 0) as held_us,
           coalesce(sum(us) filter (where status = 'confirmed'), 0) as confirmed_us,
           coalesce(sum(us) filter (where status = 'released'), 0) as released_us,
           coalesce(sum(us) filter (where status = 'cancelled'), 0) as cancelled_us,
           coalesce(sum(us) filter (where status = 'lapsed'), 0) as lapsed_us,
           coalesce(sum(sign) filter (where starts), 0) as starts,
           coalesce(sum(sign * (extract(epoch from lead) * 1000000)::bigint)
                    filter (where starts), 0) as lead_us,
           coalesce(sum(sign) filter (where starts and lead < interval '1 day'), 0) as lead_day,
           coalesce(sum(sign) filter (where starts and lead >= interval '1 day'
                                                   and lead < interval '7 days'), 0) as lead_week,
           coalesce(sum(sign) filter (where starts and lead >= interval '7 days'
                                                   and lead < interval '30 days'), 0) as lead_month,
           coalesce(sum(sign) filter (where starts and lead >= interval '30 days'), 0)
               as lead_longer
      from cut
     group by resource_id, day
)
insert into utilisation as kept
select %(tenant_id)s::uuid, %(generation)s::int, *
  from summed
    on conflict on constraint utilisation_pk do update
   set held_us = kept.held_us + excluded.held_us,
       confirmed_us = kept.confirmed_us + excluded.confirmed_us,
       released_us = kept.released_us + excluded.released_us,
       cancelled_us = kept.cancelled_us + excluded.cancelled_us,
       lapsed_us = kept.lapsed_us + excluded.lapsed_us,
       starts = kept.starts + excluded.starts,
       lead_us = kept.lead_us + excluded.lead_us,
       lead_day = kept.lead_day + excluded.lead_day,
       lead_week = kept.lead_week + excluded.lead_week,
       lead_month = kept.lead_month + excluded.lead_month,
       lead_longer = kept.lead_longer + excluded.lead_longer
returning resource_id, day,
          held_us + confirmed_us + released_us + cancelled_us + lapsed_us = 0 as is_over
"""
# A day that nothing is left of would stand there or not, as the events were cut into batches.
_CLEAR = """
delete from utilisation
 using unnest(%(resources)s::uuid[], %(days)s::date[]) over (resource_id, day)
 where utilisation.tenant_id = %(tenant_id)s
   and utilisation.generation = %(generation)s
   and utilisation.resource_id = over.resource_id
   and utilisation.day = over.day
"""

_STATUS_AFTER: Mapping[str, str] = {
    HoldPlaced.TOPIC: "held",
    Booked.TOPIC: "confirmed",
    Confirmed.TOPIC: "confirmed",
    Released.TOPIC: "released",
    Cancelled.TOPIC: "cancelled",
    HoldLapsed.TOPIC: "lapsed",
}
_BEGINNINGS = {HoldPlaced.TOPIC, Booked.TOPIC}
_OF_ZONES = {Registered.TOPIC, Changed.TOPIC}


class RowMissing(LookupError):
    """An event names a booking or a resource that none has begun: log or table is damaged."""


@dataclass(frozen=True, slots=True)
class _Counted:
    """What a booking is counted as."""

    status: str
    resource_ids: tuple[UUID, ...]
    zones: tuple[str, ...]
    start_time: datetime
    end_time: datetime
    created_at: datetime

    def as_columns(self, **more: object) -> dict[str, object]:
        return {name: getattr(self, name) for name in self.__slots__} | more


async def project(batch: Batch) -> None:
    """Count bookings anew to which something happened.

    Args:
        batch: of events of bookings and resources.

    Raises:
        RowMissing: a booking that is changed, or a resource that is booked, is not there.
    """
    before = await _counted_before(batch)
    zones, changed_zones = await _zones(batch, before.values()), {}
    after: dict[UUID, _Counted] = {}
    for event in batch.events:
        if event.topic in _OF_ZONES:
            facts = event.facts.get("changes", event.facts)
            if "timezone" in facts:
                zones[event.stream_id] = changed_zones[event.stream_id] = facts["timezone"]
        else:
            known = after.get(event.stream_id) or before.get(event.stream_id)
            after[event.stream_id] = _in_zones(_after(event, known), zones)
    if changed_zones:
        kept = [{"resource_id": each, "timezone": zone} for each, zone in changed_zones.items()]
        await batch.conn.execute(_KEEP_ZONES, {**_of(batch), "zones": to_json(kept).decode()})
    if after:
        await _count(batch, before, after)


async def _counted_before(batch: Batch) -> dict[UUID, _Counted]:
    wanted = {
        event.stream_id
        for event in batch.events
        if event.topic not in _OF_ZONES and event.version > 1
    }
    if not wanted:
        return {}
    found = await batch.conn.execute(_BOOKINGS, {**_of(batch), "bookings": [*wanted]})
    return {
        booking: _Counted(status, tuple(resource_ids), tuple(zones), *times)
        for booking, status, resource_ids, zones, *times in await found.fetchall()
    }


async def _zones(batch: Batch, before: Iterable[_Counted]) -> dict[UUID, str]:
    """Look up the zones of all resources that may be booked in a batch."""
    wanted = {resource for counted in before for resource in counted.resource_ids}
    for event in batch.events:
        wanted |= {UUID(resource) for resource in event.facts.get("resource_ids", ())}
    if not wanted:
        return {}
    found = await batch.conn.execute(_ZONES, {**_of(batch), "resources": [*wanted]})
    return dict(await found.fetchall())


def _after(event: UpcastEvent, before: _Counted | None) -> _Counted:
    if event.topic in _BEGINNINGS:
        return _Counted(
            _STATUS_AFTER[event.topic], *_where(event.facts), created_at=event.recorded_at
        )
    if before is None:
        raise RowMissing("a booking to count anew is not there")
    if event.topic == Rescheduled.TOPIC:
        resource_ids, zones, start_time, end_time = _where(event.facts)
        return replace(
            before,
            resource_ids=resource_ids,
            zones=zones,
            start_time=start_time,
            end_time=end_time,
        )
    return replace(before, status=_STATUS_AFTER[event.topic])


def _where(
    facts: Mapping[str, Any],
) -> tuple[tuple[UUID, ...], tuple[str, ...], datetime, datetime]:
    return (
        tuple(UUID(resource) for resource in facts["resource_ids"]),
        (),
        datetime.fromisoformat(facts["start_time"]),
        datetime.fromisoformat(facts["end_time"]),
    )


def _in_zones(counted: _Counted, zones: Mapping[UUID, str]) -> _Counted:
    try:
        return replace(counted, zones=tuple(zones[each] for each in counted.resource_ids))
    except KeyError:
        raise RowMissing("a resource that is booked is not there") from None


async def _count(
    batch: Batch, before: Mapping[UUID, _Counted], after: Mapping[UUID, _Counted]
) -> None:
    counted = [each.as_columns(sign=-1) for each in before.values()]
    counted += [each.as_columns(sign=1) for each in after.values()]
    kept = [each.as_columns(booking_id=booking, **_of(batch)) for booking, each in after.items()]
    await batch.conn.execute(_KEEP_BOOKINGS, {"bookings": to_json(kept).decode()})
    days = await batch.conn.execute(_COUNT, {**_of(batch), "counted": to_json(counted).decode()})
    over = [(resource, day) for resource, day, is_over in await days.fetchall() if is_over]
    if over:
        resources, emptied = zip(*over, strict=True)
        await batch.conn.execute(
            _CLEAR, {**_of(batch), "resources": [*resources], "days": [*emptied]}
        )


def _of(batch: Batch) -> dict[str, object]:
    return {"tenant_id": batch.tenant_id, "generation": batch.generation}


_HANDLED = frozenset({*_STATUS_AFTER, Rescheduled.TOPIC, *_OF_ZONES})

UTILISATION = Projection(
    name="utilisation",
    version=1,
    handles=_HANDLED,
    ignores=frozenset(event.TOPIC for events in EVENTS.values() for event in events) - _HANDLED,
    tables=("utilisation", "utilisation_booking", "utilisation_resource"),
    apply=project,
)
