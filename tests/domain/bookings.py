"""Bookings in every status, as the events that led there, and commands for them."""

from datetime import datetime
from typing import Any

from domain.booking import Booking
from domain.commands import Book, Reschedule
from domain.period import Period
from tests.domain.scenario import BOOKING, HOUR, NOW, STAGE, Fact, fact

START = NOW + 24 * HOUR
END = NOW + 26 * HOUR
EXPIRY = NOW + HOUR
DETAILS: dict[str, Any] = {
    "title": "Night shoot",
    "customer": None,
    "notes": None,
    "reference": None,
    "attributes": {},
}
CLAIM: dict[str, Any] = {"resource_ids": (STAGE,), "start_time": START, "end_time": END}


def hold_until(expiry: datetime | None) -> Fact:
    return fact(Booking.HoldPlaced, **CLAIM, **DETAILS, hold_expires_at=expiry)


HELD = (hold_until(None),)
HELD_FOR_AN_HOUR = (hold_until(EXPIRY),)
HELD_PAST_EXPIRY = (hold_until(NOW),)
BOOKED = (fact(Booking.Booked, **CLAIM, **DETAILS),)
CONFIRMED = (*HELD_FOR_AN_HOUR, fact(Booking.Confirmed, reason=None))
RELEASED = (*HELD, fact(Booking.Released, reason=None))
CANCELLED = (*BOOKED, fact(Booking.Cancelled, reason=None))
LAPSED = (*HELD_PAST_EXPIRY, fact(Booking.HoldLapsed))


def book(**differently: Any) -> Book:  # noqa: ANN401  # whatever field the test is about
    usual: dict[str, Any] = {
        "booking_id": BOOKING,
        "resource_ids": (STAGE,),
        "period": Period(START, END),
        "status": "held",
        "hold_expires_at": None,
        **DETAILS,
    }
    return Book(**usual | differently)


def reschedule(**to: Any) -> Reschedule:  # noqa: ANN401  # whatever field the test is about
    kept: dict[str, Any] = {"start_time": None, "end_time": None, "resource_ids": None}
    return Reschedule(booking_id=BOOKING, **kept | to)
