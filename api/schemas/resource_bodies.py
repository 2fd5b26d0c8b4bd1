"""Resources, one and in a list, as clients get them."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from api.schemas import examples


class ResourceBody(BaseModel):
    """A resource, as it is at `position`."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [examples.RESOURCE]})

    id: UUID = Field(description="Its id: UUID version 7, made here.", examples=[examples.STAGE_ID])
    name: str = Field(description="What it is called.", examples=["Stage A"])
    kind: str = Field(description="What it is.", examples=["stage"])
    timezone: str = Field(
        description="The IANA name of the zone it stands in.", examples=["Europe/Vienna"]
    )
    attributes: dict[str, JsonValue] = Field(
        description="Whatever else you keep with it.", examples=[{"floor_m2": 420}]
    )
    retired: bool = Field(description="Whether it takes no new claims.", examples=[False])
    version: int = Field(description="How many events it has; its ETag.", examples=[1])
    position: int = Field(description="Position of its last event in the log.", examples=[1])
    created_at: datetime = Field(
        description="When it was registered, in UTC.", examples=["2026-02-20T09:15:00.120345Z"]
    )
    updated_at: datetime = Field(
        description="When its last event was recorded, in UTC.",
        examples=["2026-02-20T09:15:00.120345Z"],
    )


class ResourceListBody(BaseModel):
    """A page of resources, by name."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.RESOURCES]})

    items: list[ResourceBody] = Field(
        description="The resources, retired ones among them.", examples=[[examples.RESOURCE]]
    )
    next_cursor: str | None = Field(
        description="Give it as `cursor` to get the next page; null on the last one.",
        examples=[examples.CURSOR],
    )
