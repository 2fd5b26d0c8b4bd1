"""The calendar of a resource, as clients get it."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from api.schemas import examples
from domain.status import ClaimStatus


class ClaimBody(BaseModel):
    """What occupies the resource for one period."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [examples.CLAIM]})

    resource_id: UUID = Field(description="The resource.", examples=[examples.STAGE_ID])
    booking_id: UUID = Field(description="The booking.", examples=[examples.BOOKING_ID])
    start_time: datetime = Field(
        description="When it starts, in UTC.", examples=["2026-03-02T08:00:00Z"]
    )
    end_time: datetime = Field(
        description="When it ends, in UTC, exclusive.", examples=["2026-03-02T18:00:00Z"]
    )
    status: ClaimStatus = Field(description="The status of the booking.", examples=["held"])
    hold_expires_at: datetime | None = Field(
        description="When the hold lapses; null where it does not.",
        examples=["2026-03-01T12:00:00Z"],
    )


class CalendarBody(BaseModel):
    """What occupies the resource within the window, by start."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [examples.CALENDAR]},
    )

    items: list[ClaimBody] = Field(description="The claims.", examples=[[examples.CLAIM]])
    next_cursor: str | None = Field(
        description="Give it as `cursor` to get the next page; null on the last one.",
        examples=[examples.CURSOR],
    )
