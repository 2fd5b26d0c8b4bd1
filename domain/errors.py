"""Why the domain refuses a command: one class a reason, carrying facts and no status codes.

    DomainError
    ├── InvalidPeriod         no booking can last such a period
    ├── InvalidResources      no booking can claim such a list of resources
    ├── HoldExpiryPassed      a hold was to expire before it was placed
    ├── UnknownResources      the tenant has no such resources
    ├── ResourceRetired       the resources take no new claims
    ├── SlotTaken             others hold or have confirmed the resources in that period
    ├── TooManyHolds          the tenant, or a customer, has as many open holds as it may
    └── BookingRefused        the booking itself stands in the way (abstract)
        ├── HoldLapsed        the hold is past its expiry
        └── InvalidTransition its status does not allow it (abstract)
            ├── CannotConfirm
            ├── CannotRelease
            ├── CannotCancel
            ├── CannotReschedule
            └── CannotLapse

A receipt keeps a refusal as its `facts()`; `domain_error_from` makes the same error of them.
So a class or field that has once been kept must stay readable.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from functools import cache
from typing import Literal

from pydantic import JsonValue, TypeAdapter
from pydantic_core import to_jsonable_python

from domain.ids import BookingId, ResourceId
from domain.status import BookingStatus


@dataclass(eq=False)
class DomainError(Exception):
    """A command was refused by a rule of the domain."""

    def facts(self) -> dict[str, JsonValue]:
        """Say what was refused and why, as plain JSON.

        Returns:
            the name of the class as `error`, and each field under its own name.
        """
        facts: dict[str, JsonValue] = {"error": type(self).__name__}
        for field in fields(self):
            facts[field.name] = to_jsonable_python(getattr(self, field.name))
        return facts

    def __str__(self) -> str:
        """Show the facts, since a dataclass leaves the arguments of Exception empty."""
        return repr(self)


@dataclass(eq=False)
class InvalidPeriod(DomainError):
    """No booking can last such a period; `reason` says why, for people."""

    reason: str


@dataclass(eq=False)
class InvalidResources(DomainError):
    """No booking can claim such a list of resources; `reason` says why, for people."""

    reason: str


@dataclass(eq=False)
class HoldExpiryPassed(DomainError):
    """The hold would have lapsed before it was placed."""

    hold_expires_at: datetime


@dataclass(eq=False)
class UnknownResources(DomainError):
    """The tenant has no such resources."""

    resource_ids: tuple[ResourceId, ...]


@dataclass(eq=False)
class ResourceRetired(DomainError):
    """The resources are retired: they take no new claims, and cannot be retired again."""

    resource_ids: tuple[ResourceId, ...]


@dataclass(frozen=True)
class Conflict:
    """A claim that stands in the way of another.

    Attributes:
        resource_id: the resource that both want.
        booking_id: the booking that has it.
        start_time: when that booking starts, in UTC.
        end_time: when that booking ends, in UTC, exclusive.
        status: how it has it; `same-request` is a collision within one atomic request.
    """

    resource_id: ResourceId
    booking_id: BookingId
    start_time: datetime
    end_time: datetime
    status: Literal["held", "confirmed", "same-request"]


@dataclass(eq=False)
class SlotTaken(DomainError):
    """Other bookings claim the resources in that period.

    Attributes:
        conflicts: who stands in the way: all of them, unless there are `more`.
        more: whether there are so many that only the first are named.
    """

    conflicts: tuple[Conflict, ...]
    more: bool = False


@dataclass(eq=False)
class TooManyHolds(DomainError):
    """One more hold would be more than may be open at once.

    Attributes:
        of: whose they are: the tenant's all together, or those for one customer.
        ceiling: how many may be open.
    """

    of: Literal["tenant", "customer"]
    ceiling: int


@dataclass(eq=False)
class BookingRefused(DomainError):
    """The booking's own state does not allow the command.

    Attributes:
        booking_id: the booking.
        status: its status when it was asked.
    """

    booking_id: BookingId
    status: BookingStatus


@dataclass(eq=False)
class HoldLapsed(BookingRefused):
    """The hold is past its expiry, whether its lapse is recorded (`lapsed`) or not yet (`held`)."""

    hold_expires_at: datetime


class InvalidTransition(BookingRefused):
    """There is no such transition from the booking's status."""


class CannotConfirm(InvalidTransition):
    """Only a hold can be confirmed."""


class CannotRelease(InvalidTransition):
    """Only a hold can be released."""


class CannotCancel(InvalidTransition):
    """Only a confirmed booking can be cancelled; a hold is released."""


class CannotReschedule(InvalidTransition):
    """Only what is held or confirmed can be moved."""


class CannotLapse(InvalidTransition):
    """Only a hold lapses, and not before its expiry."""


def domain_error_from(facts: Mapping[str, JsonValue]) -> DomainError:
    """Make the error again that gave these facts.

    Args:
        facts: what `DomainError.facts` returned; facts that the error does not know are left out.

    Raises:
        LookupError: no error has the name in `error`.
        pydantic.ValidationError: a field is missing, or holds something else than it should.
    """
    return _adapter_of(str(facts["error"])).validate_python(facts)


@cache  # making an adapter costs a hundred times more than using it
def _adapter_of(name: str) -> TypeAdapter[DomainError]:
    for error in _concrete(DomainError):
        if error.__name__ == name:
            return TypeAdapter(error)
    raise LookupError(f"no domain error is called {name!r}")


def _concrete(error: type[DomainError]) -> Iterator[type[DomainError]]:
    subclasses = error.__subclasses__()
    if not subclasses:
        yield error
    for subclass in subclasses:
        yield from _concrete(subclass)
