"""What the engine needs to know of any command, whatever the domain makes of it."""

from datetime import datetime
from uuid import UUID

from domain.booking import Booking
from domain.commands import (
    Amend,
    Book,
    Confirm,
    Release,
    Reschedule,
    ResourceCommand,
)
from domain.customer import Customer
from infra.engine.requests import Aggregate, Command
from infra.errors import Kind


def stream_of(command: Command) -> UUID:
    """Gives the id of what a command concerns."""
    return command.resource_id if isinstance(command, ResourceCommand) else command.booking_id


def kind_of(command: Command) -> Kind:
    """Tells whether a command concerns a booking or a resource."""
    return "resource" if isinstance(command, ResourceCommand) else "booking"


def customer_in(command: Command) -> Customer | None:
    """Gives the personal data that a command carries, if any."""
    if isinstance(command, Book):
        return command.customer
    return command.changes.get("customer") if isinstance(command, Amend) else None


def deadline_of(command: Command, before: Aggregate | None) -> list[datetime]:
    """Tells until when a decision holds: what was decided of a hold is void once it lapses."""
    expires = None
    if isinstance(command, Book):
        expires = command.hold_expires_at
    elif (
        isinstance(command, Confirm | Release | Reschedule)
        and isinstance(before, Booking)
        and before.status == "held"
    ):
        expires = before.hold_expires_at
    return [] if expires is None else [expires]
