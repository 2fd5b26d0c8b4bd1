"""The window that a query looks at: two times, half-open, at most 366 days apart; or open ends."""

import re
from datetime import datetime
from typing import Annotated

from fastapi import Query
from pydantic import PlainValidator, WithJsonSchema

from api.problems.problem import FieldError, ProblemError, validation_failed
from api.schemas.times import parse_time
from domain.period import MAX_DURATION, Period

_PLUS_READ_AS_SPACE = re.compile(r" (?=\d\d:\d\d$)")


def parse_query_time(text: object) -> datetime:
    """Reads a time as a query has it.

    Args:
        text: RFC 3339 with offset.

    Raises:
        ValueError: it is not.
    """
    # A plus sign that was not escaped arrives as a space; no time has one there otherwise.
    return parse_time(_PLUS_READ_AS_SPACE.sub("+", text) if isinstance(text, str) else text)


# The examples stand in the schemas, since a schema given whole hides what Query says.
_TIME = {"type": "string", "format": "date-time", "examples": ["2026-03-01T00:00:00+01:00"]}
From = Annotated[
    datetime,
    PlainValidator(parse_query_time),
    WithJsonSchema(_TIME),
    Query(alias="from", description="Where the window starts: RFC 3339 with offset."),
]
To = Annotated[
    datetime,
    PlainValidator(parse_query_time),
    WithJsonSchema(
        {"type": "string", "format": "date-time", "examples": ["2026-04-01T00:00:00+02:00"]}
    ),
    Query(alias="to", description="Where it ends, exclusive; at most 366 days later."),
]

OpenEnd = Annotated[datetime | None, PlainValidator(parse_query_time), WithJsonSchema(_TIME)]
"""An end of a window that may have none; a parameter adds what it bounds."""


def check_order(start: datetime | None, end: datetime | None) -> None:
    """Refuses a window that leaves nothing between its ends.

    Args:
        start: the parameter `from`, if it was given.
        end: the parameter `to`, exclusive; likewise.

    Raises:
        ProblemError: it is empty or inverted (validation-failed).
    """
    if start is not None and end is not None and start >= end:
        raise ProblemError(
            validation_failed(FieldError(pointer="/query/to", message="Expected a time after from"))
        )


def window_of(start: datetime, end: datetime) -> Period:
    """Gives the window between two times.

    Args:
        start: the parameter `from`.
        end: the parameter `to`, exclusive.

    Raises:
        ProblemError: it is empty, inverted or too long (validation-failed).
    """
    if start < end <= start + MAX_DURATION:
        return Period(start, end)
    raise ProblemError(
        validation_failed(
            FieldError(
                pointer="/query/to",
                message=f"Expected a time after from, by at most {MAX_DURATION.days} days",
            )
        )
    )
