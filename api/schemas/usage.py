"""What a tenant has used, as clients get it."""

import datetime as dt

from pydantic import BaseModel, ConfigDict, Field

from api.schemas import examples


class UsageBody(BaseModel):
    """What the requests of a tenant came to."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [examples.USAGE]})

    commands: int = Field(description="Commands that were asked for.", examples=[311])
    events: int = Field(description="Events that these appended to the log.", examples=[298])
    queries: int = Field(description="Requests that read.", examples=[1874])
    seconds: float = Field(
        description="How long requests were under way, together.", examples=[9.517]
    )
    refused: int = Field(description="Requests refused by a rate limit.", examples=[0])


class UsageDayBody(UsageBody):
    """What the requests of one day came to."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [examples.USAGE_DAY]})

    date: dt.date = Field(description="The day, in UTC.", examples=["2026-03-02"])


class UsagesBody(BaseModel):
    """What a tenant has used, day by day and together."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [examples.USAGES]})

    items: list[UsageDayBody] = Field(
        description="The days on which anything was used, in order.",
        examples=[[examples.USAGE_DAY]],
    )
    totals: UsageBody = Field(description="All of them together.", examples=[examples.USAGE_TOTALS])
