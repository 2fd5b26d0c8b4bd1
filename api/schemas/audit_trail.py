"""The audit trail, as clients get it."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from api.schemas import examples


class TrailLineBody(BaseModel):
    """What somebody did."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [examples.TRAIL_LINE]})

    position: int = Field(description="Its place in the tenant's log, from 1.", examples=[4])
    time: datetime = Field(
        description="When it was recorded, in UTC.", examples=["2026-02-20T09:20:11.004512Z"]
    )
    type: str = Field(description="What happened.", examples=["booking.confirmed"])
    subject: str = Field(
        description="What it happened to.", examples=[f"bookings/{examples.BOOKING_ID}"]
    )
    version: int = Field(
        description="Its place among the events of its subject, from 1.", examples=[2]
    )
    resource_ids: list[UUID] = Field(
        description="The resources that the subject concerns afterwards.",
        examples=[[examples.STAGE_ID, examples.CAMERA_ID]],
    )
    left_resource_ids: list[UUID] = Field(
        description="The resources that it concerned until then.", examples=[[]]
    )
    actor: str = Field(description="Who: an API key or a user, by id.", examples=[examples.ACTOR])
    impersonator: str | None = Field(
        default=None,
        description="Who acted in that user's place, by the id that the user's sign-in has for "
        "them; absent where nobody did.",
        examples=[examples.IMPERSONATOR],
    )
    request_id: str = Field(
        description="The request that caused it.", examples=[examples.REQUEST_ID]
    )
    traceparent: str | None = Field(
        default=None,
        description="The trace of that request; absent where it had none.",
        examples=[examples.TRACEPARENT],
    )
    command_id: UUID | None = Field(
        default=None,
        description="The command that caused it; absent where none was named.",
        examples=[examples.REQUEST_ID],
    )
    reason: str | None = Field(
        default=None, description="As it was given; absent without.", examples=["Contract signed"]
    )


class TrailBody(BaseModel):
    """A page of the audit trail, newest line first."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [examples.TRAIL]})

    items: list[TrailLineBody] = Field(description="The lines.", examples=[examples.TRAIL["items"]])
    next_cursor: str | None = Field(
        description="Give it as `cursor` to get the next page; null on the last one. A page may "
        "have no items and yet a next one, where several filters are combined.",
        examples=[examples.CURSOR],
    )
