"""Bookings as an iCalendar stream (RFC 5545), for the calendar programs that subscribe to it."""

import re
from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import timedelta

from icalendar import Calendar, Event, vText

from domain.ids import ResourceId
from domain.status import BookingStatus
from infra.pacing import Pace
from projections.bookings.listing import ListedBooking

REFRESH = timedelta(minutes=15)
"""How often a calendar program is asked to look again (RFC 7986)."""

# What ended stays in the feed, so that programs that keep what they have seen take it out.
_STATUS: Mapping[BookingStatus, str] = {
    "held": "TENTATIVE",
    "confirmed": "CONFIRMED",
    "released": "CANCELLED",
    "cancelled": "CANCELLED",
    "lapsed": "CANCELLED",
}
_END = b"END:VCALENDAR\r\n"

_LINE_BREAK = re.compile(r"\r\n?|[\v\f\x85]")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")


async def calendar_text(
    title: str,
    bookings: Iterable[ListedBooking],
    names: Mapping[ResourceId, str],
    pace: Pace,
) -> bytes:
    """Write a calendar.

    Args:
        title: what programs call it.
        bookings: what is in it.
        names: of their resources.
        pace: is kept between any two bookings.

    Returns:
        The stream, in UTF-8.
    """
    calendar, name = Calendar(), vText(_text(title))  # the library knows neither for a text
    calendar.add("prodid", "-//Booking engine//Calendar feed//EN")
    calendar.add("version", "2.0")
    calendar.add("name", name)
    calendar.add("x-wr-calname", name)  # what programs read that do not know RFC 7986
    calendar.add("refresh-interval", REFRESH, parameters={"VALUE": "DURATION"})
    parts = [calendar.to_ical().removesuffix(_END)]
    parts += [part async for part in _events(bookings, names, pace)]
    return b"".join((*parts, _END))


async def _events(
    bookings: Iterable[ListedBooking], names: Mapping[ResourceId, str], pace: Pace
) -> AsyncIterator[bytes]:
    for booking in bookings:
        yield _event(booking, names).to_ical()
        await pace.pause()


def _event(booking: ListedBooking, names: Mapping[ResourceId, str]) -> Event:
    status = _STATUS[booking.status]
    event = Event()
    event.add("uid", str(booking.booking_id))
    event.add("sequence", booking.version)
    event.add("dtstamp", booking.updated_at)
    event.add("created", booking.created_at)
    event.add("last-modified", booking.updated_at)
    event.add("dtstart", booking.start_time)
    event.add("dtend", booking.end_time)
    places = ", ".join(names.get(each, str(each)) for each in booking.resource_ids)
    event.add("summary", _text(booking.title))
    event.add("location", _text(places))
    event.add("status", status)
    event.add("transp", "TRANSPARENT" if status == "CANCELLED" else "OPAQUE")
    if booking.reference is not None:
        event.add("description", _text(booking.reference))
    return event


def _text(value: str) -> str:
    """Give what may stand in a text (RFC 5545, section 3.3.11), which the library only escapes.

    A lone CR could else begin a line of its own, such as one that invites somebody.
    """
    return _CONTROL.sub(" ", _LINE_BREAK.sub("\n", value))
