"""From when to when: of days, or of moments."""

from dataclasses import dataclass
from datetime import UTC, date, datetime


class WrongWindow(Exception):
    """`--from` or `--to` is not what it has to be; says what to do."""


@dataclass(frozen=True, slots=True)
class Window:
    """A half-open span; None where it has no end on that side.

    Attributes:
        start: the first day or moment.
        end: the one after the last.
    """

    start: date | None
    end: date | None  # a datetime is a date


def days(start: str | None, end: str | None) -> Window:
    """Reads a span of local days.

    Raises:
        WrongWindow: they are not days, or the span is empty.
    """
    return _checked(_day("--from", start), _day("--to", end))


def moments(start: str | None, end: str | None) -> Window:
    """Reads a span of moments; a day is its beginning in UTC.

    Raises:
        WrongWindow: they are not moments, or the span is empty.
    """
    return _checked(_moment("--from", start), _moment("--to", end))


def _checked(start: date | None, end: date | None) -> Window:
    if start is not None and end is not None and start >= end:
        raise WrongWindow("--to has to be after --from: what begins there is left out.")
    return Window(start, end)


def _day(option: str, text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise WrongWindow(f"{option}: {text!r} is no day. Take one like 2027-03-01.") from None


def _moment(option: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        if len(text) == len("2027-03-01"):
            moment = moment.replace(tzinfo=UTC)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass  # told below
    raise WrongWindow(
        f"{option}: {text!r} is no moment. Take a day, like 2027-03-01, or a time with its offset, "
        "like 2027-03-01T09:00:00Z."
    )
