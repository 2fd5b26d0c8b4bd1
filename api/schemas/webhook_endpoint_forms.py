"""The bodies that clients send to make, change and use webhook endpoints."""

from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from api.schemas import examples
from api.schemas.booking_forms import NOTHING_TO_CHANGE
from api.schemas.form import Form
from domain.mapper import TOPICS
from infra.webhooks.addresses import LONGEST_ADDRESS
from infra.webhooks.endpoints import Endpoint, Wanted

LONGEST_OVERLAP_HOURS = 168
HIGHEST_POSITION = 2**53 - 1
"""In a body: what JSON has exactly, whoever reads it (RFC 8259, section 6)."""


def _number(value: object) -> object:
    if isinstance(value, bool | str):  # pydantic would take them for numbers
        raise PydanticCustomError("number", "Expected a whole number")
    return value


def _known(topic: str) -> str:
    if topic not in TOPICS:
        raise PydanticCustomError("topic", "Expected the type of an event of the log")
    return topic


def _unique(topics: list[str]) -> list[str]:
    if len(set(topics)) < len(topics):
        raise PydanticCustomError("repeated", "Expected each type once")
    return topics


Topic = Annotated[
    str,
    AfterValidator(_known),
    WithJsonSchema({"type": "string", "enum": sorted(TOPICS)}),
]
Topics = Annotated[
    list[Topic],
    Field(min_length=1, max_length=len(TOPICS), json_schema_extra={"uniqueItems": True}),
    AfterValidator(_unique),
]
Address = Annotated[
    str, Field(min_length=1, max_length=LONGEST_ADDRESS, json_schema_extra={"format": "uri"})
]
Description = Annotated[str, Field(max_length=500)]
Number = Annotated[int, BeforeValidator(_number)]
# Bounds around the validator, where null may stand too, would not be JSON Schema's in the document.
Position = Annotated[int, Field(ge=0, le=HIGHEST_POSITION), BeforeValidator(_number)]


class EndpointForm(Form):
    """An address to which events are sent."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.NEW_WEBHOOK_ENDPOINT]})

    url: Address = Field(
        description="Where messages are posted: https, at the public internet.",
        examples=[examples.NEW_WEBHOOK_ENDPOINT["url"]],
    )
    topics: Topics | None = Field(
        default=None,
        description="The types of the events that are sent; all, where it is null or absent.",
        examples=[examples.NEW_WEBHOOK_ENDPOINT["topics"]],
    )
    description: Description = Field(
        default="", description="Your own words.", examples=["The crew planner"]
    )
    after: Position | None = Field(
        default=None,
        description="The position before the first event that is sent, 0 for the whole log; where "
        "it is null or absent, events from now on are.",
        examples=[3],
    )

    def wanted(self) -> Wanted:
        """Gives what the endpoint is to be."""
        return Wanted(url=self.url, topics=self.topics, description=self.description)


class ChangeEndpointForm(Form):
    """What changes of an endpoint: at least one of these. What is absent stays."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"description": "Crew"}], "minProperties": 1}
    )

    # A factory marks a field as optional without showing a default: what was not sent is not read.
    url: Address = Field(
        default_factory=str,
        description="Where messages are posted from now on, those that wait among them.",
        examples=[examples.NEW_WEBHOOK_ENDPOINT["url"]],
    )
    topics: Topics | None = Field(
        default=None,
        description="The types of later events that are sent; null for all.",
        examples=[examples.NEW_WEBHOOK_ENDPOINT["topics"]],
    )
    description: Description = Field(
        default_factory=str, description="Your own words.", examples=["Crew"]
    )
    enabled: StrictBool = Field(
        default_factory=bool,
        description="Whether anything is sent. Enabled again, it goes on with what waits, and "
        "with the event after its `position`.",
        examples=[True],
    )

    @model_validator(mode="after")
    def _something_changes(self) -> Self:
        if not self.model_fields_set:
            raise NOTHING_TO_CHANGE
        return self

    def wanted(self, now: Endpoint) -> Wanted:
        """Gives what the endpoint is to be.

        Args:
            now: what it is.
        """
        given = self.model_fields_set
        return Wanted(
            url=self.url if "url" in given else now.url,
            topics=self.topics if "topics" in given else now.topics,
            description=self.description if "description" in given else now.description,
            enabled=self.enabled if "enabled" in given else now.enabled,
        )


class RotateForm(Form):
    """How long both secrets sign; the whole body may be left out."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"overlap_hours": 24}]})

    overlap_hours: Number = Field(
        default=24,
        ge=0,
        le=LONGEST_OVERLAP_HOURS,
        description="For how long messages are signed with the old secret as well; 0 for a secret "
        "that others know.",
        examples=[24],
    )


class ReplayForm(Form):
    """Which events are sent once more: at most 1,000 positions."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"after": 2, "until": 4}]})

    after: Number = Field(
        ge=0, le=HIGHEST_POSITION, description="The position before the first one.", examples=[2]
    )
    until: Number = Field(
        ge=1, le=HIGHEST_POSITION, description="The position of the last one.", examples=[4]
    )
