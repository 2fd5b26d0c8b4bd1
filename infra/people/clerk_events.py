"""What Clerk's webhooks say, read from their JSON.

Clerk tells the whole of a user, organisation or membership each time, with the millisecond of its
last change, `updated_at`. What was deleted has none; there the event's own `timestamp` counts.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Generic, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, ValidationError
from pydantic_core import PydanticCustomError

from infra.access.clerk_roles import clerk_role
from infra.people.facts import (
    AccountRemoved,
    AccountTold,
    Fact,
    MembershipTold,
    OrganisationRemoved,
    OrganisationTold,
)

_YEAR_2200 = 7_258_118_400_000
_IN_SECONDS = 100_000_000_000  # as milliseconds, that were March 1973
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class MalformedEvent(Exception):
    """An event of a kind that is known has not its form, or something is no event.

    Attributes:
        kind: of the event; None where it has none.
        faults: what is wrong with it; none of what it says is to be logged.
    """

    def __init__(self, kind: str | None, faults: ValidationError) -> None:
        """Carries what is wrong."""
        super().__init__(kind)
        self.kind = kind
        self.faults = faults


def _moment(milliseconds: object) -> datetime:
    if type(milliseconds) is not int or not 0 <= milliseconds <= _YEAR_2200:
        raise PydanticCustomError("moment", "Expected milliseconds since 1970")
    return _EPOCH + timedelta(milliseconds=milliseconds)


def _event_moment(timestamp: object) -> datetime:
    """Reads an event's time, which Clerk has also told in whole seconds: then the second's end."""
    if type(timestamp) is int and timestamp < _IN_SECONDS:
        return _moment(timestamp * 1000 + 999)
    return _moment(timestamp)


_Moment = Annotated[datetime, BeforeValidator(_moment)]
_EventMoment = Annotated[datetime, BeforeValidator(_event_moment)]
_Id = Annotated[str, Field(min_length=1, max_length=255)]
_Slug = Annotated[str | None, Field(max_length=255)]
_Name = Annotated[str | None, Field(max_length=256)]
_Email = Annotated[str, Field(max_length=320)]


class _Told(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, hide_input_in_errors=True)


class _Event(_Told):
    type: str


class _EmailAddress(_Told):
    id: str
    email_address: _Email


class _User(_Told):
    id: _Id
    email_addresses: list[_EmailAddress] = []
    primary_email_address_id: str | None = None
    first_name: _Name = None
    last_name: _Name = None
    updated_at: _Moment


class _Organisation(_Told):
    id: _Id
    name: Annotated[str, Field(min_length=1, max_length=300)]
    slug: _Slug = None
    updated_at: _Moment


class _PublicUser(_Told):
    user_id: _Id
    identifier: _Name = None
    first_name: _Name = None
    last_name: _Name = None


class _Membership(_Told):
    organization: _Organisation
    public_user_data: _PublicUser
    role: str
    updated_at: _Moment


class _Deleted(_Told):
    id: _Id
    slug: _Slug = None


_Data = TypeVar("_Data", bound=BaseModel)


class _Change(_Told, Generic[_Data]):
    data: _Data


class _End(_Told, Generic[_Data]):
    data: _Data
    timestamp: _EventMoment


def read_event(event: JsonValue) -> Fact | None:
    """Reads what a webhook says.

    Args:
        event: its JSON.

    Returns:
        The fact that it tells; None where it is of a kind that tells nothing of people.

    Raises:
        MalformedEvent: its kind is known, and it has not its form; or it has no kind.
    """
    kind = None
    try:
        kind = _Event.model_validate(event).type
        read = _READERS.get(kind)
        return None if read is None else read(event)
    except ValidationError as faults:
        raise MalformedEvent(kind, faults) from None


def _user_told(event: JsonValue) -> AccountTold:
    user = _Change[_User].model_validate(event).data
    addresses = {address.id: address.email_address for address in user.email_addresses}
    primary = addresses.get(user.primary_email_address_id or "")
    return AccountTold(
        subject=user.id,
        email=primary or next(iter(addresses.values()), "") or None,
        name=_full_name(user.first_name, user.last_name),
        told_at=user.updated_at,
    )


def _user_removed(event: JsonValue) -> AccountRemoved:
    end = _End[_Deleted].model_validate(event)
    return AccountRemoved(end.data.id, end.timestamp)


def _organisation_told(event: JsonValue) -> OrganisationTold:
    return _organisation(_Change[_Organisation].model_validate(event).data)


def _organisation_removed(event: JsonValue) -> OrganisationRemoved:
    end = _End[_Deleted].model_validate(event)
    return OrganisationRemoved(end.data.id, end.data.slug or None, end.timestamp)


def _membership_told(event: JsonValue) -> MembershipTold:
    membership = _Change[_Membership].model_validate(event).data
    return _membership(membership, membership.updated_at, removed=False)


def _membership_removed(event: JsonValue) -> MembershipTold:
    """Reads the end of a membership: not before its last change, by whichever clock."""
    end = _End[_Membership].model_validate(event)
    return _membership(end.data, max(end.timestamp, end.data.updated_at), removed=True)


def _membership(membership: _Membership, told_at: datetime, *, removed: bool) -> MembershipTold:
    user = membership.public_user_data
    identifier = user.identifier or ""  # an address, a user name or a telephone number
    return MembershipTold(
        organisation=_organisation(membership.organization),
        subject=user.user_id,
        email=identifier if "@" in identifier and not removed else None,
        name=None if removed else _full_name(user.first_name, user.last_name),
        role=clerk_role(membership.role),
        told_at=told_at,
        removed=removed,
    )


def _organisation(organisation: _Organisation) -> OrganisationTold:
    return OrganisationTold(
        organisation_id=organisation.id,
        slug=organisation.slug or None,
        name=organisation.name,
        told_at=organisation.updated_at,
    )


def _full_name(first: str | None, last: str | None) -> str | None:
    return " ".join(part for part in (first, last) if part) or None


_READERS: Mapping[str, Callable[[JsonValue], Fact]] = {
    "user.created": _user_told,
    "user.updated": _user_told,
    "user.deleted": _user_removed,
    "organization.created": _organisation_told,
    "organization.updated": _organisation_told,
    "organization.deleted": _organisation_removed,
    "organizationMembership.created": _membership_told,
    "organizationMembership.updated": _membership_told,
    "organizationMembership.deleted": _membership_removed,
}
