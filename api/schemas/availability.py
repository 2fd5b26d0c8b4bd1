"""What is free, as clients get it."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from api.schemas import examples


class FreePeriodBody(BaseModel):
    """A period in which nothing is booked."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [examples.FREE_PERIOD]}
    )

    start_time: datetime = Field(
        description="When it starts, in UTC.", examples=["2026-03-02T18:00:00Z"]
    )
    end_time: datetime = Field(
        description="When it ends, in UTC, exclusive.", examples=["2026-03-03T00:00:00Z"]
    )


class FreeResourceBody(BaseModel):
    """When one resource is free."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [examples.FREE_RESOURCE]}
    )

    resource_id: UUID = Field(description="The resource.", examples=[examples.STAGE_ID])
    free: list[FreePeriodBody] = Field(
        description="Its free periods, in order; none if it is retired.",
        examples=[[examples.FREE_PERIOD]],
    )


class AvailabilityBody(BaseModel):
    """Free periods within the window: of each resource, and of all of them at once."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [examples.AVAILABILITY]},
    )

    items: list[FreeResourceBody] = Field(
        description="Each resource, in the order asked for.", examples=[[examples.FREE_RESOURCE]]
    )
    common: list[FreePeriodBody] = Field(
        description="When all of them are free, in order.", examples=[[examples.FREE_PERIOD]]
    )
