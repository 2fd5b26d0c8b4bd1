"""How much of resources' days was used, as clients get it."""

import datetime as dt
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from api.schemas import examples


class StatusSecondsBody(BaseModel):
    """How long the resource was booked in a day, by what the bookings are now."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [examples.STATUS_SECONDS]},
    )

    held: float = Field(description="By holds that are open.", examples=[0])
    confirmed: float = Field(description="By confirmed bookings.", examples=[36000])
    released: float = Field(description="By holds that were released.", examples=[0])
    cancelled: float = Field(description="By bookings that were cancelled.", examples=[0])
    lapsed: float = Field(description="By holds that lapsed.", examples=[14400])


class LeadsBody(BaseModel):
    """How long before their start the bookings were made that start in a day."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [examples.LEADS]})

    under_a_day: int = Field(description="Less than a day, or after their start.", examples=[0])
    under_a_week: int = Field(description="A day or more.", examples=[1])
    under_30_days: int = Field(description="A week or more.", examples=[1])
    longer: int = Field(description="30 days or more.", examples=[0])


class UtilisationDayBody(BaseModel):
    """What a resource's local day was used for."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [examples.UTILISATION_DAY]}
    )

    resource_id: UUID = Field(description="The resource.", examples=[examples.STAGE_ID])
    date: dt.date = Field(
        description="The day, in the resource's time zone.", examples=["2026-03-02"]
    )
    timezone: str = Field(description="The zone of the resource.", examples=["Europe/Vienna"])
    day_seconds: int = Field(
        description="How long the day is; 23 or 25 hours where the clock is changed.",
        examples=[86400],
    )
    seconds: StatusSecondsBody = Field(
        description="How long it was booked.", examples=[examples.UTILISATION_FIGURES["seconds"]]
    )
    starts: int = Field(
        description="Bookings that start in the day, whatever became of them.", examples=[2]
    )
    lead_seconds: float = Field(
        description="From when these were made until they start, together.", examples=[1728000]
    )
    leads: LeadsBody = Field(
        description="How many were made how long before.",
        examples=[examples.UTILISATION_FIGURES["leads"]],
    )
    refusals: dict[str, int] = Field(
        description="Commands that were refused and wanted a period which begins in the day, by "
        "the name of the problem that was answered; empty if there were none. Counted beside the "
        "log, within a second or so.",
        examples=[examples.UTILISATION_FIGURES["refusals"]],
    )


class UtilisationBody(BaseModel):
    """A page of days, by resource and day."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [examples.UTILISATION]}
    )

    items: list[UtilisationDayBody] = Field(
        description="The days on which anything was booked or refused.",
        examples=[examples.UTILISATION["items"]],
    )
    next_cursor: str | None = Field(
        description="Give it as `cursor` to get the next page; null on the last one.",
        examples=[examples.CURSOR],
    )
