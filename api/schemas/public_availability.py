"""Public links, and what they show, as clients get it."""

import datetime as dt
from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from api.schemas import examples
from api.schemas.availability import FreePeriodBody
from api.schemas.form import Form


class PublishForm(Form):
    """An empty object; the whole body may be left out."""

    model_config = ConfigDict(json_schema_extra={"examples": [{}]})


class PublicLinkBody(BaseModel):
    """The link under which anybody may read when a resource is free."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [examples.PUBLIC_LINK]}
    )

    id: UUID = Field(description="Its own id.", examples=[examples.PUBLIC_LINK_ID])
    resource_id: UUID = Field(description="The resource.", examples=[examples.STAGE_ID])
    data_path: str = Field(
        description="The address of the data, without the server's: JSON.",
        examples=[examples.PUBLIC_PATH],
    )
    page_path: str = Field(
        description="The address of the page, without the server's: for browsers.",
        examples=[f"{examples.PUBLIC_PATH}.html"],
    )
    made_at: datetime = Field(
        description="Since when there is this one, in UTC.", examples=["2026-02-21T08:00:00Z"]
    )
    made_by: str = Field(description="The actor who made it.", examples=[examples.ACTOR])


class PublicAvailabilityBody(BaseModel):
    """When a resource is free: what anybody may know who has the link."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [examples.PUBLIC_AVAILABILITY]}
    )

    name: str = Field(description="What the resource is called.", examples=["Stage A"])
    timezone: str = Field(
        description="The IANA name of the time zone in which its days begin.",
        examples=["Europe/Vienna"],
    )
    first_day: dt.date = Field(description="The first day shown.", examples=["2026-03-01"])
    end_day: dt.date = Field(description="The day after the last.", examples=["2026-03-04"])
    free: list[FreePeriodBody] = Field(
        description="Its free periods in these days, in order; none if it is retired.",
        examples=[[examples.FREE_PERIOD]],
    )
