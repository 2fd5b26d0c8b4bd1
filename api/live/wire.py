"""Messages as clients get them, by whatever way; plain JSON, without personal data."""

from datetime import datetime

from domain.period import Period
from infra.live import Heartbeat, Message, Room
from infra.live.change import AvailabilityChange, BookingFacts, ResourceFacts

Body = dict[str, object]


def change_body(message: Message) -> Body:
    """Gives a change.

    Args:
        message: as the room is told of it.
    """
    change = message.change
    return {
        "room": room_body(message.room),
        "position": message.position,
        "prev": message.prev,
        "type": change.topic,
        "time": _time(change.time),
        "actor": change.actor,
        "booking": None if change.booking is None else _booking_body(change.booking),
        "resource": None if change.resource is None else _resource_body(change.resource),
        "availability": [_availability_body(each) for each in change.availability],
    }


def heartbeat_body(heartbeat: Heartbeat) -> Body:
    """Gives a heartbeat.

    Args:
        heartbeat: as the room is told of it.
    """
    return {
        "room": room_body(heartbeat.room),
        "position": heartbeat.position,
        "head": heartbeat.head,
    }


def room_body(room: Room) -> Body:
    """Gives a room as clients name it; the tenant's needs no name, since they have no other.

    Args:
        room: of their tenant.
    """
    return {} if room.kind == "tenant" else {f"{room.kind}_id": str(room.id)}


def _booking_body(booking: BookingFacts) -> Body:
    expires_at = booking.hold_expires_at
    return {
        "id": str(booking.id),
        "status": booking.status,
        "title": booking.title,
        "resource_ids": [str(resource_id) for resource_id in booking.resource_ids],
        "start_time": _time(booking.start_time),
        "end_time": _time(booking.end_time),
        "hold_expires_at": None if expires_at is None else _time(expires_at),
        "reference": booking.reference,
        "version": booking.version,
    }


def _resource_body(resource: ResourceFacts) -> Body:
    return {
        "id": str(resource.id),
        "name": resource.name,
        "kind": resource.kind,
        "timezone": resource.timezone,
        "retired": resource.retired,
        "version": resource.version,
    }


def _availability_body(change: AvailabilityChange) -> Body:
    return {
        "resource_id": str(change.resource_id),
        "taken": [_period_body(period) for period in change.taken],
        "freed": [_period_body(period) for period in change.freed],
    }


def _period_body(period: Period) -> Body:
    return {"start_time": _time(period.start), "end_time": _time(period.end)}


def _time(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
