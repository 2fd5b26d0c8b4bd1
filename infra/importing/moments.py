"""Times as people write them into a table, read as instants."""

import re
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

_SAMPLE: Final = datetime(2023, 5, 3, 18, 45, 59, tzinfo=UTC)


class NotAMoment(Exception):
    """A text names no instant; the message says why."""


class WrongFormat(Exception):
    """A format has directives that nothing can be read with; the message names them."""


def check_format(datetime_format: str) -> None:
    """Make sure that a format can be read with, before any row is blamed for it.

    Args:
        datetime_format: directives of `datetime.strptime`.

    Raises:
        WrongFormat: it is empty, has a directive that does not exist, or one twice.
    """
    if not datetime_format.strip():
        raise WrongFormat("An empty format reads no times; leave it out to read ISO 8601.")
    try:
        datetime.strptime(_SAMPLE.strftime(datetime_format), datetime_format)  # noqa: DTZ007 - the value is of no interest
    except (ValueError, re.error) as error:  # strptime lets the error of its own pattern out
        raise WrongFormat(f"{datetime_format!r} is no format to read times with: {error}") from None


def read_moment(text: str, zone: ZoneInfo, datetime_format: str | None) -> datetime:
    """Read one time.

    Args:
        text: an offset in it is believed; without one it is the time on the clocks in zone.
        zone: where the clocks hang. An hour that they show twice (when they are set back) is the
            first of the two.
        datetime_format: directives of `datetime.strptime`; ISO 8601 where there is none.

    Returns:
        The instant, in UTC.

    Raises:
        NotAMoment: the text is empty, not of the format, outside the calendar, or names an hour
            that the clocks in zone skip.
    """
    moment = _parsed(text.strip(), datetime_format)
    try:
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
        instant = moment.replace(tzinfo=zone).astimezone(UTC)
        exists = instant.astimezone(zone).replace(tzinfo=None) == moment
    except OverflowError:
        raise NotAMoment(f"{text!r} is outside the calendar") from None
    if not exists:
        raise NotAMoment(
            f"{text!r} does not exist in {zone.key}: the clocks are set forward over it"
        )
    return instant


def _parsed(text: str, datetime_format: str | None) -> datetime:
    if not text:
        raise NotAMoment("there is no time")
    try:
        if datetime_format is None:
            return datetime.fromisoformat(text)
        return datetime.strptime(text, datetime_format)  # noqa: DTZ007 - the caller gives it a zone
    except ValueError:
        form = "ISO 8601" if datetime_format is None else repr(datetime_format)
        raise NotAMoment(f"{text!r} is not a time of the form {form}") from None
