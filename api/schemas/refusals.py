"""Refused commands, as clients get them."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from api.schemas import examples


class RefusalBody(BaseModel):
    """What was refused."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [examples.REFUSAL]})

    id: UUID = Field(description="Names the refusal.", examples=[examples.REQUEST_ID])
    time: datetime = Field(description="When, in UTC.", examples=["2026-02-20T09:21:40.118204Z"])
    reason: str = Field(
        description="The name of the problem that was answered.", examples=["booking-conflict"]
    )
    command: str = Field(
        description="What was asked: `book`, `amend`, `confirm`, `release`, `cancel`, "
        "`reschedule`, or `retire` of a resource.",
        examples=["book"],
    )
    booking_id: UUID | None = Field(
        description="The booking that was to be changed; one that was to be made has no other "
        "trace. Null where a resource was to be changed.",
        examples=[examples.OTHER_BOOKING_ID],
    )
    resource_ids: list[UUID] = Field(
        description="The resources that were wanted.", examples=[[examples.STAGE_ID]]
    )
    start_time: datetime | None = Field(
        description="The start of the period that was wanted; null where there was none.",
        examples=["2026-03-02T08:00:00Z"],
    )
    end_time: datetime | None = Field(
        description="Its end, exclusive; likewise.", examples=["2026-03-02T18:00:00Z"]
    )
    blocking_booking_ids: list[UUID] = Field(
        description="The bookings in the way; the first 20, where there were more.",
        examples=[[examples.BOOKING_ID]],
    )
    actor: str = Field(
        description="Who asked: an API key or a user, by id.", examples=[examples.ACTOR]
    )
    request_id: str = Field(description="By which request.", examples=[examples.REQUEST_ID])


class RefusalsBody(BaseModel):
    """A page of what was refused, newest first."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [examples.REFUSALS]})

    items: list[RefusalBody] = Field(
        description="The refusals.", examples=[examples.REFUSALS["items"]]
    )
    next_cursor: str | None = Field(
        description="Give it as `cursor` to get the next page; null on the last one.",
        examples=[examples.CURSOR],
    )
