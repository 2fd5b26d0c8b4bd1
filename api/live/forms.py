"""What clients send with their events."""

from datetime import date
from typing import Annotated, Self, TypeVar

from pydantic import Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError, PydanticSerializationError, to_json

from api.headers import MAX_POSITION
from api.problems.pointer import field_errors
from api.problems.problem import FieldError, ProblemError, validation_failed
from api.schemas.form import Form
from domain.ids import BookingId, ResourceId, TenantId
from infra.access.bearer import LONGEST_TOKEN
from infra.live import Room

FIRST_DAY, LAST_DAY = date(1970, 1, 1), date(2200, 12, 31)


class SignInForm(Form):
    """What a client shows when it connects, or anew: `auth`, or what comes with `auth.refresh`."""

    token: Annotated[str, Field(min_length=1, max_length=LONGEST_TOKEN)]


class SubscribeForm(Form):
    """A room: of a resource, of a booking, or else of the tenant; and from where on."""

    resource_id: ResourceId | None = None
    booking_id: BookingId | None = None
    after: Annotated[int, Field(ge=0, le=MAX_POSITION, strict=True)] | None = None

    @model_validator(mode="after")
    def _is_one_room(self) -> Self:
        if self.resource_id is not None and self.booking_id is not None:
            raise PydanticCustomError("room", "Expected resource_id or booking_id, or neither")
        return self

    def room(self, tenant_id: TenantId) -> Room:
        """Gives the room.

        Args:
            tenant_id: whom the client speaks for, as the server knows it.
        """
        if self.resource_id is not None:
            return Room("resource", self.resource_id)
        if self.booking_id is not None:
            return Room("booking", self.booking_id)
        return Room("tenant", tenant_id)


class PlaceForm(Form):
    """Where planners meet: a resource's day."""

    resource_id: ResourceId
    day: Annotated[date, Field(ge=FIRST_DAY, le=LAST_DAY)]


_Some = TypeVar("_Some", bound=Form)


def read_form(kind: type[_Some], given: object) -> _Some:
    """Reads what came with an event.

    Args:
        kind: which form it should have.
        given: read from JSON.

    Raises:
        ProblemError: it has not (validation-failed).
    """
    try:
        written = to_json(given)
    except PydanticSerializationError:
        message = "Expected text without unpaired surrogates"
        raise ProblemError(validation_failed(FieldError(pointer="", message=message))) from None
    try:
        return kind.model_validate_json(written)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False, include_context=False)
        for fault in faults:
            fault["loc"] = ("body", *fault["loc"])
        raise ProblemError(validation_failed(*field_errors(faults))) from None
