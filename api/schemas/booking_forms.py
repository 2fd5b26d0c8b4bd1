"""The bodies that clients send to make and change bookings."""

from datetime import datetime
from typing import Self

from pydantic import (
    ConfigDict,
    Field,
    JsonValue,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from api.schemas import examples
from api.schemas.customer import CustomerBody, to_domain
from api.schemas.fields import Attributes, Notes, Reason, Reference, ResourceIds, Title
from api.schemas.form import Form
from api.schemas.times import Time
from domain.commands import Amend, Amendment, Book, Reschedule
from domain.ids import BookingId
from domain.period import MAX_DURATION, Period
from domain.status import ClaimStatus

NOTHING_TO_CHANGE = PydanticCustomError("nothing", "Expected at least one field to change")

# As a schema tells it that at least one of these has to be there (and, to move, not null).
SOMETHING_TO_AMEND: dict[str, JsonValue] = {
    "anyOf": [
        {"required": [name]} for name in ("title", "notes", "customer", "reference", "attributes")
    ]
}
SOMEWHERE_TO_MOVE: dict[str, JsonValue] = {
    "anyOf": [
        {"required": ["start_time"], "properties": {"start_time": {"type": "string"}}},
        {"required": ["end_time"], "properties": {"end_time": {"type": "string"}}},
        {"required": ["resource_ids"], "properties": {"resource_ids": {"type": "array"}}},
    ]
}


def check_period(start_time: datetime | None, end_time: datetime) -> None:
    """Refuses a period that no booking can have.

    The domain refuses it too; here the pointer can name the field.

    Args:
        start_time: None where it is not known, or was refused itself.
        end_time: exclusive.

    Raises:
        PydanticCustomError: the period is empty, inverted, or longer than 366 days.
    """
    if start_time is None:
        return
    if end_time <= start_time:
        raise PydanticCustomError("period", "Expected a time after start_time")
    if end_time - start_time > MAX_DURATION:
        raise PydanticCustomError(
            "period", "Expected at most {days} days after start_time", {"days": MAX_DURATION.days}
        )


class BookForm(Form):
    """A new booking: it gets all of its resources for all of its period, or nothing is booked."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.NEW_BOOKING]})

    resource_ids: ResourceIds = Field(
        description="What is booked, each once.",
        examples=[[examples.STAGE_ID, examples.CAMERA_ID]],
    )
    start_time: Time = Field(
        description="When it starts: RFC 3339 with offset.", examples=["2026-03-02T09:00:00+01:00"]
    )
    end_time: Time = Field(
        description="When it ends, exclusive; at most 366 days after the start.",
        examples=["2026-03-02T19:00:00+01:00"],
    )
    title: Title = Field(
        description="What the booking is called.", examples=["Nova commercial, day 1"]
    )
    status: ClaimStatus = Field(
        description="Whether it begins as a hold or is confirmed at once.", examples=["held"]
    )
    hold_expires_at: Time | None = Field(
        default=None,
        description="When the hold lapses, if not confirmed by then. Without it, it lasts until "
        "released. Only with status held.",
        examples=["2026-03-01T12:00:00Z"],
    )
    customer: CustomerBody | None = Field(
        default=None, description="Whom it is for.", examples=[examples.CUSTOMER]
    )
    notes: Notes | None = Field(
        default=None, description="Free text.", examples=["Needs the loading dock."]
    )
    reference: Reference | None = Field(
        default=None, description="Your own number for it.", examples=["PO-4711"]
    )
    attributes: Attributes = Field(
        default_factory=dict,
        description="Whatever else you keep with it: at most 8,192 bytes as JSON, 8 levels deep.",
        examples=[{"crew": 14}],
    )

    @field_validator("end_time")
    @classmethod
    def _ends_after_start(cls, end_time: datetime, info: ValidationInfo) -> datetime:
        check_period(info.data.get("start_time"), end_time)
        return end_time

    @field_validator("hold_expires_at")
    @classmethod
    def _only_holds_expire(cls, expiry: datetime | None, info: ValidationInfo) -> datetime | None:
        if expiry is not None and info.data.get("status") == "confirmed":
            raise PydanticCustomError("expiry", "Only a booking with status held can expire")
        return expiry

    def command(self, booking_id: BookingId) -> Book:
        """Gives what is asked in the domain's words.

        Args:
            booking_id: the new booking's id.
        """
        return Book(
            booking_id=booking_id,
            resource_ids=tuple(self.resource_ids),
            period=Period(self.start_time, self.end_time),
            status=self.status,
            hold_expires_at=self.hold_expires_at,
            title=self.title,
            customer=to_domain(self.customer),
            notes=self.notes,
            reference=self.reference,
            attributes=self.attributes,
        )


class AmendForm(Form):
    """What of a booking claims nothing. What is absent stays; null clears."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"notes": "Dock from 7:00.", "reference": "PO-4712"}],
            **SOMETHING_TO_AMEND,
        }
    )

    # The defaults only mark the fields as optional: what was not sent is never read. A factory,
    # since the schema would show a value; and title and attributes cannot be null.
    title: Title = Field(
        default_factory=str,
        description="What the booking is called.",
        examples=["Nova commercial, day 1 (moved)"],
    )
    notes: Notes | None = Field(
        default=None, description="Free text.", examples=["Loading dock from 7:00."]
    )
    customer: CustomerBody | None = Field(
        default=None, description="Whom it is for; replaced whole.", examples=[examples.CUSTOMER]
    )
    reference: Reference | None = Field(
        default=None, description="Your own number for it.", examples=["PO-4712"]
    )
    attributes: Attributes = Field(
        default_factory=dict,
        description="Whatever else you keep with it; replaced whole.",
        examples=[{"crew": 16}],
    )

    @model_validator(mode="after")
    def _something_changes(self) -> Self:
        if not self.model_fields_set & AmendForm.model_fields.keys():
            raise NOTHING_TO_CHANGE
        return self

    def command(self, booking_id: BookingId) -> Amend:
        """Gives what is asked in the domain's words.

        Args:
            booking_id: the booking to amend.
        """
        given = self.model_fields_set
        changes: Amendment = {}
        if "title" in given:
            changes["title"] = self.title
        if "notes" in given:
            changes["notes"] = self.notes
        if "customer" in given:
            changes["customer"] = to_domain(self.customer)
        if "reference" in given:
            changes["reference"] = self.reference
        if "attributes" in given:
            changes["attributes"] = self.attributes
        return Amend(booking_id=booking_id, changes=changes)


class ReasonForm(Form):
    """Why; the whole body may be left out."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "Contract signed"}]})

    reason: Reason | None = Field(
        default=None, description="Why, for the history.", examples=["Contract signed"]
    )


class RescheduleForm(Form):
    """Where a booking moves to: at least one of the three. What is absent or null stays."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "start_time": "2026-03-03T09:00:00+01:00",
                    "end_time": "2026-03-03T19:00:00+01:00",
                }
            ],
            **SOMEWHERE_TO_MOVE,
        }
    )

    start_time: Time | None = Field(
        default=None, description="When it starts.", examples=["2026-03-03T09:00:00+01:00"]
    )
    end_time: Time | None = Field(
        default=None,
        description="When it ends, exclusive.",
        examples=["2026-03-03T19:00:00+01:00"],
    )
    resource_ids: ResourceIds | None = Field(
        default=None,
        description="What is booked instead, each once.",
        examples=[[examples.STAGE_ID, examples.CAMERA_ID]],
    )

    @field_validator("end_time")
    @classmethod
    def _ends_after_start(cls, end_time: datetime | None, info: ValidationInfo) -> datetime | None:
        if end_time is not None:
            check_period(info.data.get("start_time"), end_time)
        return end_time

    @model_validator(mode="after")
    def _something_changes(self) -> Self:
        if self.start_time is None and self.end_time is None and self.resource_ids is None:
            raise NOTHING_TO_CHANGE
        return self

    def command(self, booking_id: BookingId) -> Reschedule:
        """Gives what is asked in the domain's words.

        Args:
            booking_id: the booking to move.
        """
        return Reschedule(
            booking_id=booking_id,
            start_time=self.start_time,
            end_time=self.end_time,
            resource_ids=None if self.resource_ids is None else tuple(self.resource_ids),
        )
