"""The days that a query looks at: half-open, at most 366 of them."""

from datetime import date, timedelta
from typing import Annotated

from fastapi import Query
from pydantic import PlainValidator, WithJsonSchema

from api.problems.problem import FieldError, ProblemError, validation_failed
from api.schemas.times import parse_date

MOST_DAYS = 366

# The examples stand in the schemas, since a schema given whole hides what Query says.
FirstDay = Annotated[
    date,
    PlainValidator(parse_date),
    WithJsonSchema({"type": "string", "format": "date", "examples": ["2026-03-01"]}),
    Query(alias="from", description="The first day."),
]
EndDay = Annotated[
    date,
    PlainValidator(parse_date),
    WithJsonSchema({"type": "string", "format": "date", "examples": ["2026-04-01"]}),
    Query(alias="to", description="The day after the last; at most 366 days later."),
]


def check_days(start: date, end: date) -> None:
    """Refuses days that are none, or too many.

    Args:
        start: the parameter `from`.
        end: the parameter `to`, exclusive.

    Raises:
        ProblemError: they are (validation-failed).
    """
    if not start < end <= start + timedelta(days=MOST_DAYS):
        raise ProblemError(
            validation_failed(
                FieldError(
                    pointer="/query/to",
                    message=f"Expected a date after from, by at most {MOST_DAYS} days",
                )
            )
        )
