"""Times and durations as clients write them: RFC 3339 and ISO 8601, where they have one meaning.

pydantic's own parsers also take integers, naive times and seconds of 60; what is accepted here
is only what cannot be understood in two ways.
"""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Annotated

from pydantic import PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from domain.period import EARLIEST_YEAR, LATEST_YEAR, MAX_DURATION

_RFC_3339 = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?"
    r"(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)
_FULL_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_ISO_8601_DURATION = re.compile(
    r"P(?=\d|T\d)(?:(?P<weeks>\d{1,8})W)?(?:(?P<days>\d{1,8})D)?"
    r"(?:T(?=\d)(?:(?P<hours>\d{1,8})H)?(?:(?P<minutes>\d{1,8})M)?"
    r"(?:(?P<seconds>\d{1,8}(?:\.\d{1,6})?)S)?)?",
    re.ASCII,
)


def parse_time(text: object) -> datetime:
    """Reads a point in time.

    Args:
        text: RFC 3339 with offset and at most 6 fractional digits, of the years 1970 to 2200.

    Returns:
        It, in UTC.

    Raises:
        PydanticCustomError: it is anything else; the message says what is expected.
    """
    if not isinstance(text, str) or not _RFC_3339.fullmatch(text):
        raise PydanticCustomError(
            "time_form",
            "Expected a time as RFC 3339 writes it, with an offset and at most 6 fractional "
            "digits, such as 2026-03-01T09:00:00+01:00",
        )
    try:
        moment = datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):  # the 30th of February, second 60, offset +24:00, year 0000
        raise PydanticCustomError("time_value", "There is no such time") from None
    if not EARLIEST_YEAR <= moment.year <= LATEST_YEAR:
        raise PydanticCustomError("time_year", "Expected a year from 1970 to 2200, in UTC")
    return moment


def parse_date(text: object) -> date:
    """Reads a day.

    Args:
        text: a full-date of RFC 3339, of the years 1970 to 2200.

    Returns:
        It.

    Raises:
        PydanticCustomError: it is anything else; the message says what is expected.
    """
    if not isinstance(text, str) or not _FULL_DATE.fullmatch(text):
        raise PydanticCustomError("date_form", "Expected a date such as 2026-03-01")
    try:
        day = date.fromisoformat(text)
    except ValueError:  # the 30th of February
        raise PydanticCustomError("date_value", "There is no such date") from None
    if not EARLIEST_YEAR <= day.year <= LATEST_YEAR:
        raise PydanticCustomError("date_year", "Expected a year from 1970 to 2200")
    return day


def parse_duration(text: object) -> timedelta:
    """Reads a duration.

    Args:
        text: ISO 8601 in weeks, days, hours, minutes and seconds. A day has 24 hours; years and
            months are refused, since they have no fixed length.

    Returns:
        It, more than nothing and at most 366 days.

    Raises:
        PydanticCustomError: it is anything else; the message says what is expected.
    """
    match = _ISO_8601_DURATION.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise PydanticCustomError(
            "duration_form",
            "Expected a duration as ISO 8601 writes it, in weeks, days, hours, minutes and "
            "seconds, such as PT1H30M",
        )
    given = {unit: float(amount) for unit, amount in match.groupdict().items() if amount}
    duration = timedelta(**given)
    if not timedelta(0) < duration <= MAX_DURATION:
        raise PydanticCustomError(
            "duration_value", "Expected a duration of more than nothing and at most 366 days"
        )
    return duration


Time = Annotated[
    datetime,
    PlainValidator(parse_time),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""A point in time, in UTC."""

Duration = Annotated[
    timedelta,
    PlainValidator(parse_duration),
    WithJsonSchema({"type": "string", "format": "duration"}),
]
"""A length of time."""
