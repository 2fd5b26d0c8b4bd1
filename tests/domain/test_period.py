"""A period is half-open, in UTC, never empty, and lies where the calendar is sane."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidPeriod
from domain.period import MAX_DURATION, Period

START = datetime(2030, 6, 1, 9, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


@pytest.mark.parametrize("duration", [timedelta(0), -MICROSECOND])
def test_an_empty_or_inverted_period_is_refused(duration: timedelta) -> None:
    with pytest.raises(InvalidPeriod, match="after the start"):
        Period(START, START + duration)


def test_a_booking_lasts_from_a_microsecond_to_366_days() -> None:
    assert Period(START, START + MICROSECOND).end - START == MICROSECOND
    assert Period(START, START + MAX_DURATION).end - START == timedelta(days=366)
    with pytest.raises(InvalidPeriod, match="at most 366 days"):
        Period(START, START + MAX_DURATION + MICROSECOND)


@pytest.mark.parametrize(
    ("start", "end"),
    [(START.replace(tzinfo=None), START), (START, START.replace(tzinfo=None))],
)
def test_a_time_without_offset_is_refused(start: datetime, end: datetime) -> None:
    with pytest.raises(InvalidPeriod, match="offset"):
        Period(start, end)


def test_the_years_1970_to_2200_in_utc_can_be_booked() -> None:
    first = datetime(1970, 1, 1, tzinfo=UTC)
    last = datetime(2200, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)

    assert Period(first, first + MICROSECOND).start == first
    assert Period(last - MICROSECOND, last).end == last
    for start, end in [(first - MICROSECOND, first), (last, last + MICROSECOND)]:
        with pytest.raises(InvalidPeriod, match="1970 to 2200"):
            Period(start, end)


@pytest.mark.parametrize("hours", [14, -12])
@pytest.mark.parametrize("time", [datetime.min, datetime.max])  # noqa: DTZ901  # offsets are added
def test_an_offset_that_leads_out_of_the_calendar_is_refused(time: datetime, hours: int) -> None:
    with pytest.raises(InvalidPeriod, match="1970 to 2200"):
        Period(time.replace(tzinfo=timezone(timedelta(hours=hours))), START)


@given(
    start=st.datetimes(
        min_value=datetime(1971, 1, 1),  # noqa: DTZ001  # hypothesis adds the zone
        max_value=datetime(2199, 1, 1),  # noqa: DTZ001  # hypothesis adds the zone
        timezones=st.timezones(),
    ),
    duration=st.timedeltas(min_value=MICROSECOND, max_value=MAX_DURATION),
)
def test_a_period_is_the_same_whatever_zone_it_is_told_in(
    start: datetime, duration: timedelta
) -> None:
    in_utc = start.astimezone(UTC)

    period = Period(start, in_utc + duration)

    assert period == Period(in_utc, in_utc + duration)
    assert (period.start.tzinfo, period.end.tzinfo) == (UTC, UTC)
    assert period.end - period.start == duration
