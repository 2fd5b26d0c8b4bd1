"""A booking and its history, as clients get them."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from api.schemas import examples
from api.schemas.customer import CustomerBody
from domain.status import BookingStatus


class BookingBody(BaseModel):
    """A booking, as it is at `position`."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [examples.BOOKING]})

    id: UUID = Field(
        description="Its id: UUID version 7, made here.", examples=[examples.BOOKING_ID]
    )
    status: BookingStatus = Field(
        description="held and confirmed claim their resources; the others are final.",
        examples=["held"],
    )
    title: str = Field(description="What it is called.", examples=["Nova commercial, day 1"])
    resource_ids: list[UUID] = Field(
        description="What is booked, in the order given.",
        examples=[[examples.STAGE_ID, examples.CAMERA_ID]],
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
    customer: CustomerBody | None = Field(
        description="Whom it is for.", examples=[examples.CUSTOMER]
    )
    notes: str | None = Field(description="Free text.", examples=["Needs the loading dock."])
    reference: str | None = Field(description="Your own number for it.", examples=["PO-4711"])
    attributes: dict[str, JsonValue] = Field(
        description="Whatever else you keep with it.", examples=[{"crew": 14}]
    )
    version: int = Field(description="How many events it has; its ETag.", examples=[1])
    position: int = Field(description="Position of its last event in the log.", examples=[3])
    created_at: datetime = Field(
        description="When its first event was recorded, in UTC.",
        examples=["2026-02-20T09:16:00.550871Z"],
    )
    updated_at: datetime = Field(
        description="When its last event was recorded, in UTC.",
        examples=["2026-02-20T09:16:00.550871Z"],
    )


class ChangeBody(BaseModel):
    """One fact of a booking that became another."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [examples.CHANGE]})

    field: str = Field(
        description="Which, by its name in the booking. A customer is told by the id of the key "
        "that their data is sealed with: the same id twice is the same person with other data.",
        examples=["status"],
    )
    before: JsonValue = Field(
        description="What it was; null where it was nothing.", examples=["held"]
    )
    after: JsonValue = Field(
        description="What it became; null where it is nothing any more.", examples=["confirmed"]
    )


class BookingListBody(BaseModel):
    """A page of bookings, by start and id."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [examples.BOOKINGS]})

    items: list[BookingBody] = Field(
        description="The bookings.", examples=[examples.BOOKINGS["items"]]
    )
    next_cursor: str | None = Field(
        description="Give it as `cursor` to get the next page; null on the last one. A page may "
        "have no items and yet a next one, where a status or a text is looked for.",
        examples=[examples.CURSOR],
    )


class HistoryEntryBody(BaseModel):
    """One event of a booking."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [examples.HISTORY_ENTRY]}
    )

    version: int = Field(description="Its place in the booking's history, from 1.", examples=[1])
    position: int = Field(description="Its place in the tenant's log, from 1.", examples=[3])
    type: str = Field(description="What happened.", examples=["booking.confirmed"])
    time: datetime = Field(
        description="When it was recorded, in UTC.", examples=["2026-02-20T09:20:11.004512Z"]
    )
    actor: str = Field(
        description="Who caused it: an API key or a user, by id.", examples=[examples.ACTOR]
    )
    impersonator: str | None = Field(
        default=None,
        description="Who acted in that user's place, by the id that the user's sign-in has for "
        "them; absent where nobody did.",
        examples=[examples.IMPERSONATOR],
    )
    request_id: str = Field(
        description="The request that caused it.", examples=[examples.REQUEST_ID]
    )
    reason: str | None = Field(
        description="The reason that was given; null where none was.", examples=["Contract signed"]
    )
    changes: list[ChangeBody] = Field(
        description="What of the booking became what; of its first event, all that it began with.",
        examples=[[examples.CHANGE]],
    )
    data: dict[str, JsonValue] = Field(
        description="What the event says. Personal data is sealed.",
        examples=[{"reason": "Contract signed"}],
    )


class HistoryBody(BaseModel):
    """A page of a booking's history, oldest event first."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [examples.HISTORY]})

    items: list[HistoryEntryBody] = Field(
        description="The events.", examples=[examples.HISTORY["items"]]
    )
    next_cursor: str | None = Field(
        description="Give it as `cursor` to get the next page; null on the last one.",
        examples=[examples.CURSOR],
    )
