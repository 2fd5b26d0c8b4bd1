"""Bookings, resources, claims and events as clients get them.

Plain dicts, since they go straight to bytes: the schemas in `api.schemas` describe them, and the
tests hold one against the other.
"""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from domain.booking import Booking
from domain.changes import Change
from domain.customer import Customer, SealedCustomer
from domain.ids import TenantId
from domain.resource import Resource
from infra.engine import Accepted, HistoryEntry, LoggedEvent
from infra.proof.checkpoints import KeptCheckpoint
from infra.refusals import KeptRefusal
from projections.audit_trail.listing import TrailLine
from projections.bookings.listing import ListedBooking
from projections.reservation.availability import Availability, FreePeriod
from projections.reservation.calendar import CalendarEntry
from projections.resource.listing import ListedResource
from projections.utilisation.reading import UtilisationDay

Body = dict[str, object]


def thing_body(found: Accepted) -> Body:
    """Gives a booking or resource.

    Args:
        found: it, as the engine answered it.
    """
    thing = found.aggregate
    body = (
        _booking_body(thing, found.customer)
        if isinstance(thing, Booking)
        else _resource_body(thing)
    )
    body["version"] = thing.version
    body["position"] = found.position
    body["created_at"] = found.created_at
    body["updated_at"] = found.updated_at
    return body


def _booking_body(booking: Booking, customer: Customer | None) -> Body:
    return {
        "id": booking.id,
        "status": booking.status,
        "title": booking.title,
        "resource_ids": booking.resource_ids,
        "start_time": booking.start_time,
        "end_time": booking.end_time,
        "hold_expires_at": booking.hold_expires_at,
        "customer": None if customer is None else _customer_body(customer),
        "notes": booking.notes,
        "reference": booking.reference,
        "attributes": booking.attributes,
    }


def _customer_body(customer: Customer) -> Body:
    parts = {
        "id": customer.id,
        "name": customer.name,
        "email": customer.email,
        "phone": customer.phone,
    }
    return {name: text for name, text in parts.items() if text is not None}


def _resource_body(resource: Resource) -> Body:
    return {
        "id": resource.id,
        "name": resource.name,
        "kind": resource.kind,
        "timezone": resource.timezone,
        "attributes": resource.attributes,
        "retired": resource.retired,
    }


def listed_resource_body(resource: ListedResource) -> Body:
    """Gives a resource of a list; the same as the resource alone.

    Args:
        resource: as the list has it.
    """
    return {
        "id": resource.resource_id,
        "name": resource.name,
        "kind": resource.kind,
        "timezone": resource.timezone,
        "attributes": resource.attributes,
        "retired": resource.retired,
        "version": resource.version,
        "position": resource.position,
        "created_at": resource.created_at,
        "updated_at": resource.updated_at,
    }


def listed_booking_body(booking: ListedBooking, customer: Customer | None) -> Body:
    """Gives a booking of a list; the same as the booking alone.

    Args:
        booking: as the list has it.
        customer: whom it is for, opened.
    """
    return {
        "id": booking.booking_id,
        "status": booking.status,
        "title": booking.title,
        "resource_ids": booking.resource_ids,
        "start_time": booking.start_time,
        "end_time": booking.end_time,
        "hold_expires_at": booking.hold_expires_at,
        "customer": None if customer is None else _customer_body(customer),
        "notes": booking.notes,
        "reference": booking.reference,
        "attributes": booking.attributes,
        "version": booking.version,
        "position": booking.position,
        "created_at": booking.created_at,
        "updated_at": booking.updated_at,
    }


def claim_body(entry: CalendarEntry) -> Body:
    """Gives what occupies a resource for one period.

    Args:
        entry: as the calendar has it.
    """
    return {
        "resource_id": entry.resource_id,
        "booking_id": entry.booking_id,
        "start_time": entry.start_time,
        "end_time": entry.end_time,
        "status": entry.status,
        "hold_expires_at": entry.hold_expires_at,
    }


def availability_body(availability: Availability) -> Body:
    """Gives what is free.

    Args:
        availability: of resources that are all known.
    """
    texts = _Texts()
    return {
        "items": [
            {"resource_id": resource.resource_id, "free": _period_bodies(resource.free, texts)}
            for resource in availability.resources
        ],
        "common": _period_bodies(availability.common, texts),
    }


def free_bodies(free: Iterable[FreePeriod]) -> list[Body]:
    """Gives free periods.

    Args:
        free: in order.
    """
    return _period_bodies(free, _Texts())


class _Texts(dict[datetime, str]):
    """The times of one answer as JSON has them, each written once: many periods meet at one."""

    def __missing__(self, time: datetime) -> str:
        """Write a time, in UTC, as serialising a datetime would."""
        text = self[time] = time.replace(tzinfo=None).isoformat() + "Z"
        return text


def _period_bodies(periods: Iterable[FreePeriod], texts: _Texts) -> list[Body]:
    return [{"start_time": texts[start], "end_time": texts[end]} for start, end in periods]


def history_entry_body(entry: HistoryEntry) -> Body:
    """Gives an event of one booking's history.

    Args:
        entry: the event, and what it changed.
    """
    event = entry.event
    body: Body = {
        "version": event.version,
        "position": event.seq,
        "type": event.topic,
        "time": event.recorded_at,
        "actor": event.actor,
        "request_id": event.request_id,
        "reason": entry.reason,
        "changes": [_change_body(change) for change in entry.changes],
        "data": event.data,
    }
    if event.impersonator is not None:
        body["impersonator"] = event.impersonator
    return body


def _change_body(change: Change) -> Body:
    return {
        "field": change.field,
        "before": _told(change.before),
        "after": _told(change.after),
    }


def _told(fact: object) -> object:
    """Tells a customer by the key alone that their data is sealed with: who, but not what."""
    return {"key_id": fact.key_id} if isinstance(fact, SealedCustomer) else fact


def checkpoint_body(kept: KeptCheckpoint) -> Body:
    """Gives a signed checkpoint of the log.

    Args:
        kept: as it was signed.
    """
    checkpoint = kept.signed.checkpoint
    return {
        "position": checkpoint.seq,
        "hash": checkpoint.hash.hex(),
        "recorded_at": kept.recorded_at,
        "signed_at": kept.signed_at,
        "note": kept.signed.note,
    }


def cloud_event_body(tenant_id: TenantId, event: LoggedEvent) -> Body:
    """Gives an event as CloudEvents 1.0 has it in JSON, with the sequence extension.

    Args:
        tenant_id: whose log it is of.
        event: as the log has it.
    """
    body: Body = {
        "specversion": "1.0",
        "id": str(event.seq),
        "source": f"/tenants/{tenant_id}",
        "type": event.topic,
        "subject": subject_of(event.topic, event.stream_id),
        "time": event.recorded_at,
        "datacontenttype": "application/json",
        "sequence": str(event.seq),
        "sequencetype": "Integer",
        "streamversion": event.version,
        "actor": event.actor,
        "requestid": event.request_id,
        "data": event.data,
    }
    if event.impersonator is not None:
        body["impersonator"] = event.impersonator
    if event.traceparent is not None:
        body["traceparent"] = event.traceparent
    return body


def trail_line_body(line: TrailLine) -> Body:
    """Gives a line of the audit trail.

    Args:
        line: as it was projected.
    """
    body: Body = {
        "position": line.position,
        "time": line.recorded_at,
        "type": line.topic,
        "subject": subject_of(line.topic, line.subject_id),
        "version": line.version,
        "resource_ids": line.resource_ids,
        "left_resource_ids": line.left_ids,
        "actor": line.actor,
        "request_id": line.request_id,
    }
    given = {
        "impersonator": line.impersonator,
        "traceparent": line.traceparent,
        "command_id": line.command_id,
        "reason": line.reason,
    }
    return {**body, **{name: value for name, value in given.items() if value is not None}}


def utilisation_day_body(day: UtilisationDay) -> Body:
    """Gives what a resource's day was used for.

    Args:
        day: as it was projected.
    """
    return {
        "resource_id": day.resource_id,
        "date": day.day,
        "timezone": day.timezone,
        "day_seconds": day.day_seconds,
        "seconds": {
            "held": day.held_us / 1_000_000,
            "confirmed": day.confirmed_us / 1_000_000,
            "released": day.released_us / 1_000_000,
            "cancelled": day.cancelled_us / 1_000_000,
            "lapsed": day.lapsed_us / 1_000_000,
        },
        "starts": day.starts,
        "lead_seconds": day.lead_us / 1_000_000,
        "leads": {
            "under_a_day": day.lead_day,
            "under_a_week": day.lead_week,
            "under_30_days": day.lead_month,
            "longer": day.lead_longer,
        },
        "refusals": day.refusals,
    }


def refusal_body(refusal: KeptRefusal) -> Body:
    """Gives a refused command.

    Args:
        refusal: as it was kept.
    """
    return {
        "id": refusal.refusal_id,
        "time": refusal.refused_at,
        "reason": refusal.reason,
        "command": refusal.command,
        "booking_id": refusal.booking_id,
        "resource_ids": refusal.resource_ids,
        "start_time": refusal.start_time,
        "end_time": refusal.end_time,
        "blocking_booking_ids": refusal.blocking_ids,
        "actor": refusal.actor,
        "request_id": refusal.request_id,
    }


def subject_of(topic: str, stream_id: UUID) -> str:
    """Names a thing by the part of its topics before the dot: booking, resource.

    Args:
        topic: of an event.
        stream_id: what it happened to.
    """
    kind, _, _ = topic.partition(".")
    return f"{kind}s/{stream_id}"
