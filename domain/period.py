"""The period of a booking: half-open, in UTC, never empty."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from domain.errors import InvalidPeriod

MAX_DURATION = timedelta(days=366)
EARLIEST_YEAR = 1970
LATEST_YEAR = 2200


@dataclass(frozen=True)
class Period:
    """From `start` until just before `end`, so that adjacent periods do not overlap.

    Attributes:
        start: the first moment, in UTC; given with any offset.
        end: the first moment after, in UTC; given with any offset.

    Raises:
        InvalidPeriod: a time has no offset or a year outside 1970 to 2200, or the period is
            empty, inverted or longer than 366 days.
    """

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        """Normalise both times to UTC and refuse what no booking can last."""
        # A frozen dataclass can only be filled in this way; nobody else has seen it yet.
        object.__setattr__(self, "start", _in_utc(self.start))
        object.__setattr__(self, "end", _in_utc(self.end))
        if self.start >= self.end:
            raise InvalidPeriod("the end must be after the start")
        if self.end - self.start > MAX_DURATION:
            raise InvalidPeriod(f"a booking lasts at most {MAX_DURATION.days} days")


def _in_utc(time: datetime) -> datetime:
    if time.utcoffset() is None:
        raise InvalidPeriod("a time needs an offset from UTC")
    try:
        in_utc = time.astimezone(UTC)
    except OverflowError as error:  # near the years 1 and 9999, an offset leads out of the calendar
        raise InvalidPeriod(_YEARS) from error
    if not EARLIEST_YEAR <= in_utc.year <= LATEST_YEAR:
        raise InvalidPeriod(_YEARS)
    return in_utc


_YEARS = f"times lie in the years {EARLIEST_YEAR} to {LATEST_YEAR}, in UTC"
