"""Who is asked what: a command meets the aggregate it is for, or the caller has made a mistake."""

from itertools import product
from typing import cast

import pytest

from domain.booking import Booking
from domain.commands import (
    Amend,
    BookingCommand,
    Cancel,
    ChangeResource,
    Confirm,
    Lapse,
    RegisterResource,
    Release,
    ResourceCommand,
    RetireResource,
)
from domain.deciding import decide
from domain.mapper import fold
from domain.resource import Resource
from tests.domain import bookings as b
from tests.domain.scenario import BOOKING, NOW, STAGE, fact, happened, seal

CREATING: list[BookingCommand | ResourceCommand] = [
    b.book(),
    RegisterResource(resource_id=STAGE, name="", kind="", timezone="UTC", attributes={}),
]
OF_A_BOOKING: list[BookingCommand | ResourceCommand] = [
    Amend(booking_id=BOOKING, changes={}),
    Confirm(booking_id=BOOKING, reason=None),
    Release(booking_id=BOOKING, reason=None),
    Cancel(booking_id=BOOKING, reason=None),
    b.reschedule(),
    Lapse(booking_id=BOOKING),
]
OF_A_RESOURCE: list[BookingCommand | ResourceCommand] = [
    ChangeResource(resource_id=STAGE, changes={}),
    RetireResource(resource_id=STAGE),
]


def aggregates() -> dict[str, Booking | Resource | None]:
    registered = fact(Resource.Registered, name="", kind="", timezone="UTC", attributes={})
    return {
        "nothing": None,
        "a booking": cast("Booking", fold(happened(b.HELD, BOOKING))),
        "a resource": cast("Resource", fold(happened((registered,), STAGE))),
    }


@pytest.mark.parametrize(
    ("command", "asked"),
    [
        *product(CREATING, ["a booking", "a resource"]),
        *product(OF_A_BOOKING, ["nothing", "a resource"]),
        *product(OF_A_RESOURCE, ["nothing", "a booking"]),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_a_command_for_something_else_is_the_callers_mistake(
    command: BookingCommand | ResourceCommand, asked: str
) -> None:
    with pytest.raises(TypeError, match=f"{type(command).__name__} cannot be asked of"):
        decide(command, aggregates()[asked], now=NOW, seal=seal)
