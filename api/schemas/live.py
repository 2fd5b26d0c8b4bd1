"""What those who listen are told, by Socket.IO and in streams of events alike."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from api.schemas import examples
from domain.status import BookingStatus

# Any: an OpenAPI object.
STREAM_EVENT: dict[str, Any] = {
    "type": "object",
    "description": "One event of the stream.",
    "properties": {
        "event": {"enum": ["change", "heartbeat", "snapshot_required", "auth.expired"]},
        "id": {"type": "string", "description": "The position to go on from."},
        "data": {
            "type": "string",
            "contentMediaType": "application/json",
            "contentSchema": {
                "anyOf": [
                    {"$ref": "#/components/schemas/LiveChangeBody"},
                    {"$ref": "#/components/schemas/LiveHeartbeatBody"},
                    {"type": "object"},
                ]
            },
        },
    },
}


def _told(example: dict[str, JsonValue]) -> ConfigDict:
    return ConfigDict(extra="forbid", json_schema_extra={"examples": [example]})


class RoomBody(BaseModel):
    """What is listened to: a resource, a booking, or with neither all of the tenant."""

    model_config = _told({"resource_id": examples.CAMERA_ID})

    resource_id: UUID | None = Field(
        default=None, description="Of the resource.", examples=[examples.CAMERA_ID]
    )
    booking_id: UUID | None = Field(
        default=None, description="Of the booking.", examples=[examples.BOOKING_ID]
    )


class LiveBookingBody(BaseModel):
    """A booking after a change; whom it is for is asked for with a request."""

    model_config = _told(examples.LIVE_BOOKING)

    id: UUID = Field(description="Its id.", examples=[examples.BOOKING_ID])
    status: BookingStatus = Field(description="Where it stands.", examples=["held"])
    title: str = Field(description="What it is called.", examples=["Nova commercial, day 1"])
    resource_ids: list[UUID] = Field(
        description="What it is of.", examples=[[examples.STAGE_ID, examples.CAMERA_ID]]
    )
    start_time: datetime = Field(
        description="When it starts, in UTC.", examples=["2026-03-02T08:00:00Z"]
    )
    end_time: datetime = Field(
        description="When it ends, in UTC, exclusive.", examples=["2026-03-02T18:00:00Z"]
    )
    hold_expires_at: datetime | None = Field(
        description="When the hold lapses; null where it does not.",
        examples=["2026-03-01T12:00:00Z"],
    )
    reference: str | None = Field(description="Your own number for it.", examples=["PO-4711"])
    version: int = Field(description="How many events it has; its ETag.", examples=[1])


class LiveResourceBody(BaseModel):
    """A resource after a change."""

    model_config = _told(examples.LIVE_RESOURCE)

    id: UUID = Field(description="Its id.", examples=[examples.STAGE_ID])
    name: str = Field(description="What it is called.", examples=["Stage A"])
    kind: str = Field(description="What it is.", examples=["stage"])
    timezone: str = Field(description="In which its days are shown.", examples=["Europe/Vienna"])
    retired: bool = Field(description="Whether it takes no new claims.", examples=[False])
    version: int = Field(description="How many events it has; its ETag.", examples=[1])


class LivePeriodBody(BaseModel):
    """A period, half-open."""

    model_config = _told(examples.LIVE_PERIOD)

    start_time: datetime = Field(
        description="When it starts, in UTC.", examples=["2026-03-02T08:00:00Z"]
    )
    end_time: datetime = Field(
        description="When it ends, in UTC, exclusive.", examples=["2026-03-02T18:00:00Z"]
    )


class LiveAvailabilityBody(BaseModel):
    """What a change took of a resource, and what it set free."""

    model_config = _told(examples.LIVE_AVAILABILITY)

    resource_id: UUID = Field(description="Of which.", examples=[examples.STAGE_ID])
    taken: list[LivePeriodBody] = Field(
        description="What is claimed from here on and was not before.",
        examples=[[examples.LIVE_PERIOD]],
    )
    freed: list[LivePeriodBody] = Field(
        description="What was claimed before and is not any more.", examples=[[]]
    )


class LiveChangeBody(BaseModel):
    """One event of the log, as a room is told of it."""

    model_config = _told(examples.LIVE_CHANGE)

    room: RoomBody = Field(description="Who is told.", examples=[{}])
    position: int = Field(description="Of the event in the log.", examples=[4])
    prev: int = Field(
        description="Position of the message before it in this room: if it is after the last one "
        "you have, something was lost, and you listen again from there.",
        examples=[3],
    )
    type: str = Field(description="What happened.", examples=["booking.hold_placed"])
    time: datetime = Field(
        description="When it was recorded, in UTC.", examples=["2026-02-20T09:20:11.004512Z"]
    )
    actor: str = Field(
        description="Who caused it: an API key or a user, by id.", examples=[examples.ACTOR]
    )
    booking: LiveBookingBody | None = Field(
        default=None,
        description="What it happened to, after it; null if that was no booking.",
        examples=[examples.LIVE_BOOKING],
    )
    resource: LiveResourceBody | None = Field(
        default=None,
        description="The same of a resource.",
        examples=[examples.LIVE_RESOURCE | {"version": 2}],
    )
    availability: list[LiveAvailabilityBody] = Field(
        description="What it took and set free.", examples=[[]]
    )


class LiveHeartbeatBody(BaseModel):
    """Tells a room every few seconds where it should be."""

    model_config = _told(examples.LIVE_HEARTBEAT)

    room: RoomBody = Field(description="Who is told.", examples=[{}])
    position: int = Field(
        description="Of the last message: if the last one you have is before it, you lost some.",
        examples=[4],
    )
    head: int = Field(
        description="Up to where the log was looked at: else you can go on from there.",
        examples=[7],
    )
