"""The bodies that clients send to register and change resources."""

from typing import Self

from pydantic import ConfigDict, Field, model_validator

from api.schemas import examples
from api.schemas.booking_forms import NOTHING_TO_CHANGE
from api.schemas.fields import Attributes, Kind, Name, TimeZoneName
from api.schemas.form import Form
from domain.commands import ChangeResource, RegisterResource, ResourceAmendment
from domain.ids import ResourceId


class RegisterForm(Form):
    """Something that can be booked: a room, a stage, a camera, a person, a street."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.NEW_RESOURCE]})

    name: Name = Field(
        description="What it is called; several may share a name.", examples=["Stage A"]
    )
    kind: Kind = Field(description="What it is, in your own words.", examples=["stage"])
    timezone: TimeZoneName = Field(
        description="The IANA name of the zone it stands in.", examples=["Europe/Vienna"]
    )
    attributes: Attributes = Field(
        default_factory=dict,
        description="Whatever else you keep with it: at most 8,192 bytes as JSON, 8 levels deep.",
        examples=[{"floor_m2": 420}],
    )

    def command(self, resource_id: ResourceId) -> RegisterResource:
        """Gives what is asked in the domain's words.

        Args:
            resource_id: the new resource's id.
        """
        return RegisterResource(
            resource_id=resource_id,
            name=self.name,
            kind=self.kind,
            timezone=self.timezone,
            attributes=self.attributes,
        )


class ChangeForm(Form):
    """What changes of a resource: at least one of these. What is absent stays."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "Stage A (new floor)"}], "minProperties": 1}
    )

    # A factory marks a field as optional without showing a default: what was not sent is never
    # read, and none of these can be null.
    name: Name = Field(
        default_factory=str, description="What it is called.", examples=["Stage A (new floor)"]
    )
    kind: Kind = Field(
        default_factory=str, description="What it is, in your own words.", examples=["stage"]
    )
    timezone: TimeZoneName = Field(
        default_factory=str,
        description="The IANA name of the zone it stands in.",
        examples=["Europe/Vienna"],
    )
    attributes: Attributes = Field(
        default_factory=dict,
        description="Whatever else you keep with it; replaced whole.",
        examples=[{"floor_m2": 430}],
    )

    @model_validator(mode="after")
    def _something_changes(self) -> Self:
        if not self.model_fields_set:
            raise NOTHING_TO_CHANGE
        return self

    def command(self, resource_id: ResourceId) -> ChangeResource:
        """Gives what is asked in the domain's words.

        Args:
            resource_id: the resource to change.
        """
        given = self.model_fields_set
        changes: ResourceAmendment = {}
        if "name" in given:
            changes["name"] = self.name
        if "kind" in given:
            changes["kind"] = self.kind
        if "timezone" in given:
            changes["timezone"] = self.timezone
        if "attributes" in given:
            changes["attributes"] = self.attributes
        return ChangeResource(resource_id=resource_id, changes=changes)


class RetireForm(Form):
    """An empty object; the whole body may be left out."""

    model_config = ConfigDict(json_schema_extra={"examples": [{}]})
