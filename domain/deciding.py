"""The one way from a command to its events: what an aggregate decides, and on which moment."""

from datetime import datetime
from typing import assert_never, cast, overload

from domain.booking import Booking
from domain.booking_events import DetailChanges, Details
from domain.commands import (
    Amend,
    Amendment,
    Book,
    BookingCommand,
    Cancel,
    ChangeResource,
    Confirm,
    Lapse,
    RegisterResource,
    Release,
    Reschedule,
    ResourceCommand,
    RetireResource,
)
from domain.customer import Seal
from domain.resource import Resource


@overload
def decide(
    command: BookingCommand, aggregate: Booking | None, *, now: datetime, seal: Seal
) -> Booking: ...
@overload
def decide(
    command: ResourceCommand, aggregate: Resource | None, *, now: datetime, seal: Seal
) -> Resource: ...
@overload
def decide(
    command: BookingCommand | ResourceCommand,
    aggregate: Booking | Resource | None,
    *,
    now: datetime,
    seal: Seal,
) -> Booking | Resource: ...
def decide(
    command: BookingCommand | ResourceCommand,
    aggregate: Booking | Resource | None,
    *,
    now: datetime,
    seal: Seal,
) -> Booking | Resource:
    """Let the aggregate decide on the command.

    Args:
        command: what is asked.
        aggregate: what it is asked of, which is changed; None for `Book` and `RegisterResource`.
        now: the moment of the decision, in UTC.
        seal: seals a customer for the event that will carry it.

    Returns:
        the aggregate; its pending events are the decision, none if there is nothing to change.

    Raises:
        DomainError: the command is refused; the aggregate is as it was.
        TypeError: the aggregate is not the one that such a command is asked of: a mistake of the
            caller.
    """
    match command, aggregate:
        case Book(), None:
            return _book(command, now, seal)
        case RegisterResource(), None:
            return _register(command, now)
        case ((Amend() | Confirm() | Release() | Cancel() | Reschedule() | Lapse()), Booking()):
            _decide_booking(command, aggregate, now, seal)
            return aggregate
        case ((ChangeResource() | RetireResource()), Resource()):
            _decide_resource(command, aggregate, now)
            return aggregate
        case _:
            raise TypeError(
                f"{type(command).__name__} cannot be asked of {type(aggregate).__name__}"
            )


def _book(command: Book, now: datetime, seal: Seal) -> Booking:
    customer, stream = command.customer, command.booking_id
    details = Details(
        title=command.title,
        customer=None if customer is None else seal(customer, stream, Booking.INITIAL_VERSION),
        notes=command.notes,
        reference=command.reference,
        attributes=command.attributes,
    )
    match command.status:
        case "held":
            return Booking.place_hold(
                command.booking_id,
                resource_ids=command.resource_ids,
                period=command.period,
                hold_expires_at=command.hold_expires_at,
                details=details,
                now=now,
            )
        case "confirmed":
            return Booking.book(
                command.booking_id,
                resource_ids=command.resource_ids,
                period=command.period,
                details=details,
                now=now,
            )
        case _:
            assert_never(command.status)


def _decide_booking(
    command: Amend | Confirm | Release | Cancel | Reschedule | Lapse,
    booking: Booking,
    now: datetime,
    seal: Seal,
) -> None:
    match command:
        case Amend(changes=changes):
            booking.amend(_sealed(changes, booking, seal), now=now)
        case Confirm(reason=reason):
            booking.confirm(reason, now=now)
        case Release(reason=reason):
            booking.release(reason, now=now)
        case Cancel(reason=reason):
            booking.cancel(reason, now=now)
        case Reschedule(start_time=start_time, end_time=end_time, resource_ids=resource_ids):
            booking.reschedule(
                start_time=start_time, end_time=end_time, resource_ids=resource_ids, now=now
            )
        case Lapse():
            booking.lapse(now=now)
        case _:
            assert_never(command)


def _sealed(changes: Amendment, booking: Booking, seal: Seal) -> DetailChanges:
    customer = changes.get("customer")
    if customer is None:
        sealed = {**changes}
    else:
        sealed = {**changes, "customer": seal(customer, booking.id, booking.version + 1)}
    return cast("DetailChanges", sealed)  # the two differ in the type of the customer only


def _register(command: RegisterResource, now: datetime) -> Resource:
    return Resource.register(
        command.resource_id,
        name=command.name,
        kind=command.kind,
        timezone=command.timezone,
        attributes=command.attributes,
        now=now,
    )


def _decide_resource(
    command: ChangeResource | RetireResource, resource: Resource, now: datetime
) -> None:
    match command:
        case ChangeResource(changes=changes):
            resource.change(changes, now=now)
        case RetireResource():
            resource.retire(now=now)
        case _:
            assert_never(command)
