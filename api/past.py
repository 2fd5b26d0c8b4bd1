"""Looking back: the parameter `as_of`, and the moment of the log that it means."""

import re
from datetime import datetime
from typing import Annotated

from fastapi import Query, Request
from pydantic import PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from api.headers import MAX_POSITION
from api.problems.problem import FieldError, ProblemError, validation_failed
from api.reading import snapshot
from api.window import parse_query_time
from projections.moment import InFuture, Moment, moment_of_position, moment_of_time

_POSITION = re.compile(r"[0-9]{1,19}")


def parse_as_of(text: object) -> int | datetime:
    """Reads a position, or a time.

    Args:
        text: a whole number from 0, or RFC 3339 with offset.

    Raises:
        PydanticCustomError: it is neither.
    """
    if isinstance(text, str) and _POSITION.fullmatch(text) and int(text) <= MAX_POSITION:
        return int(text)
    if isinstance(text, str) and text.isdigit():
        raise PydanticCustomError("as_of", "Expected a position of the log: at most 2^63 - 1")
    return parse_query_time(text)


AsOf = Annotated[
    int | datetime | None,
    PlainValidator(parse_as_of),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 0, "maximum": MAX_POSITION},
                {"type": "string", "format": "date-time"},
            ],
            "examples": [3, "2026-03-01T09:00:00+01:00"],
        }
    ),
    Query(
        description="As things were known at this position of the log, or at this time (RFC 3339 "
        "with offset): what has happened since counts for nothing. A hold occupies until it "
        "expires: by the time asked for, or that at which the event at the position was recorded. "
        "Beyond the log's end, or in the future: 422.",
    ),
]


async def moment_asked(
    request: Request, as_of: int | datetime, position: int | None = None
) -> Moment:
    """Tells which moment is asked for.

    Args:
        request: of an authenticated caller.
        as_of: as asked.
        position: what a time came to on the first page of a list, and means on all others.

    Raises:
        ProblemError: the log has not come that far (validation-failed).
        Overloaded: the database could not be asked in time.
    """
    if isinstance(as_of, datetime) and position is not None:
        return Moment(position, as_of)
    async with snapshot(request) as look:
        if isinstance(as_of, datetime):
            try:
                return await moment_of_time(look.conn, look.tenant_id, as_of)
            except InFuture as early:
                now = early.now.isoformat(timespec="seconds").replace("+00:00", "Z")
                raise _refused(f"Expected a time that has come: at most {now}") from None
        if as_of > look.head:
            raise _refused(f"Expected a position that the log has reached: at most {look.head}")
        return await moment_of_position(look.conn, look.tenant_id, as_of)


def _refused(message: str) -> ProblemError:
    return ProblemError(validation_failed(FieldError(pointer="/query/as_of", message=message)))
