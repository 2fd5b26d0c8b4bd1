"""The body of `/v1/commands`: up to 500 commands, each with the fields of its own endpoint."""

from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

from api.headers import (
    IF_MATCH_PATTERN,
    MAX_KEY_LENGTH,
    parse_idempotency_key,
    parse_if_match,
)
from api.schemas import examples
from api.schemas.booking_forms import (
    SOMETHING_TO_AMEND,
    SOMEWHERE_TO_MOVE,
    AmendForm,
    BookForm,
    ReasonForm,
    RescheduleForm,
)
from api.schemas.form import Form
from domain.commands import Amend, Book, Cancel, Confirm, Release, Reschedule
from domain.ids import BookingId
from infra.identity import new_id

MAX_COMMANDS = 500
MAX_ATOMIC_COMMANDS = 100
MAX_VERSION = 2**31 - 1


def _versions(value: object) -> frozenset[int] | None:
    """Reads a condition: a version, or what the header If-Match may have."""
    if isinstance(value, float) and value.is_integer():  # a whole number, to JSON Schema
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MAX_VERSION:
        return frozenset({value})
    if isinstance(value, str):
        try:
            return parse_if_match(value)
        except ValueError as error:
            raise PydanticCustomError("if_match", "{reason}", {"reason": str(error)}) from None
    if value is None:
        return None
    raise PydanticCustomError("if_match", 'Expected a version, such as 3, or an ETag, such as "3"')


Condition = Annotated[
    frozenset[int] | None,
    BeforeValidator(
        _versions,
        json_schema_input_type=Annotated[int, Field(ge=1, le=MAX_VERSION)]
        | Annotated[str, Field(json_schema_extra={"pattern": IF_MATCH_PATTERN})]
        | None,
    ),
]


def _key(value: str) -> str:
    """Reads a quoted key as the header does, so that it is the same key in either place."""
    try:
        return parse_idempotency_key(value) if value.startswith('"') else value
    except ValueError as error:
        raise PydanticCustomError("idempotency_key", "{reason}", {"reason": str(error)}) from None


class _Keyed(Form):
    """What every command may have."""

    idempotency_key: Annotated[str, AfterValidator(_key)] | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_KEY_LENGTH,
        description="As the header Idempotency-Key, for this command alone; it wins over the "
        "header.",
        examples=["import-2026-03-row-17"],
    )


class _OnBooking(_Keyed):
    """What every command on a booking that exists has."""

    booking_id: BookingId = Field(description="The booking.", examples=[examples.BOOKING_ID])
    if_match: Condition = Field(
        default=None,
        description="As the header If-Match, for this command alone: a version, or ETags.",
        examples=[3],
    )


class BookCommand(_Keyed, BookForm):
    """As `POST /v1/bookings`."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"type": "book", **examples.NEW_BOOKING}]}
    )

    type: Literal["book"] = Field(description="Which command it is.", examples=["book"])

    def to_domain(self) -> Book:
        """Gives what is asked in the domain's words."""
        return self.command(BookingId(new_id()))


class AmendCommand(_OnBooking, AmendForm):
    """As `PATCH /v1/bookings/{booking_id}`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"type": "amend", "booking_id": examples.BOOKING_ID, "notes": "Dock from 7:00."}
            ],
            **SOMETHING_TO_AMEND,
        }
    )

    type: Literal["amend"] = Field(description="Which command it is.", examples=["amend"])

    def to_domain(self) -> Amend:
        """Gives what is asked in the domain's words."""
        return self.command(self.booking_id)


class TransitionCommand(_OnBooking, ReasonForm):
    """As `POST /v1/bookings/{booking_id}/confirm`, `/release` and `/cancel`."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"type": "confirm", "booking_id": examples.BOOKING_ID}]}
    )

    type: Literal["confirm", "release", "cancel"] = Field(
        description="Which command it is.", examples=["confirm"]
    )

    def to_domain(self) -> Confirm | Release | Cancel:
        """Gives what is asked in the domain's words."""
        match self.type:
            case "confirm":
                return Confirm(booking_id=self.booking_id, reason=self.reason)
            case "release":
                return Release(booking_id=self.booking_id, reason=self.reason)
            case "cancel":
                return Cancel(booking_id=self.booking_id, reason=self.reason)


class RescheduleCommand(_OnBooking, RescheduleForm):
    """As `POST /v1/bookings/{booking_id}/reschedule`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "reschedule",
                    "booking_id": examples.BOOKING_ID,
                    "resource_ids": [examples.CAMERA_ID],
                }
            ],
            **SOMEWHERE_TO_MOVE,
        }
    )

    type: Literal["reschedule"] = Field(description="Which command it is.", examples=["reschedule"])

    def to_domain(self) -> Reschedule:
        """Gives what is asked in the domain's words."""
        return self.command(self.booking_id)


Command = Annotated[
    BookCommand | AmendCommand | TransitionCommand | RescheduleCommand,
    Field(discriminator="type"),
]


class CommandsForm(Form):
    """Commands, decided in their order: each for itself, or with `atomic` all or none."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.SWAP]})

    atomic: StrictBool = Field(
        default=False,
        description="Whether they are one decision: all are applied or none, and what one vacates "
        "is free for the others.",
        examples=[True],
    )
    commands: list[Command] = Field(
        min_length=1,
        max_length=MAX_COMMANDS,
        description="At most 500; at most 100 where atomic.",
        examples=[examples.SWAP["commands"]],
    )

    @field_validator("commands")
    @classmethod
    def _few_enough_for_one_decision(
        cls, commands: list[Command], info: ValidationInfo
    ) -> list[Command]:
        if info.data.get("atomic") and len(commands) > MAX_ATOMIC_COMMANDS:
            raise PydanticCustomError(
                "atomic",
                "Expected at most {max} commands where atomic",
                {"max": MAX_ATOMIC_COMMANDS},
            )
        return commands
