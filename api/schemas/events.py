"""The tenant's log, as CloudEvents 1.0 in the JSON format."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from api.schemas import examples


class CloudEventBody(BaseModel):
    """One event (CloudEvents 1.0, JSON format, with the sequence extension)."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [examples.EVENT]})

    specversion: Literal["1.0"] = Field(description="Of CloudEvents.", examples=["1.0"])
    id: str = Field(description="Unique within its source.", examples=["4"])
    source: str = Field(
        description="The log it comes from.", examples=[f"/tenants/{examples.TENANT_ID}"]
    )
    type: str = Field(description="What happened.", examples=["booking.confirmed"])
    subject: str = Field(
        description="What it happened to.", examples=[f"bookings/{examples.BOOKING_ID}"]
    )
    time: datetime = Field(
        description="When it was recorded, in UTC.", examples=["2026-02-20T09:20:11.004512Z"]
    )
    datacontenttype: Literal["application/json"] = Field(
        description="The form of data.", examples=["application/json"]
    )
    sequence: str = Field(
        description="Its position in the log, from 1, without gaps: a decimal number.",
        examples=["4"],
    )
    sequencetype: Literal["Integer"] = Field(
        description="How to compare sequences: as numbers.", examples=["Integer"]
    )
    streamversion: int = Field(
        description="Its place among the events of its subject, from 1.", examples=[2]
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
    requestid: str = Field(
        description="The request that caused it.", examples=[examples.REQUEST_ID]
    )
    traceparent: str | None = Field(
        default=None,
        description="The trace of that request; absent where it had none.",
        examples=[examples.TRACEPARENT],
    )
    data: dict[str, JsonValue] = Field(
        description="What the event says. Personal data is sealed.",
        examples=[{"reason": "Contract signed"}],
    )


class EventsBody(BaseModel):
    """A part of the log, in the order of its positions."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [examples.EVENTS]},
    )

    items: list[CloudEventBody] = Field(description="The events.", examples=[[examples.EVENT]])
    next_after: int = Field(
        description="The last position looked at: give it as `after` to go on. A page can be "
        "empty and yet not the last, where a topic is asked for; the header Event-Position tells "
        "how far the log reaches.",
        examples=[4],
    )
