"""Times and durations have one meaning, or are refused."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError, to_json

from api.schemas.times import parse_duration, parse_time


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-01T09:00:00Z", datetime(2026, 3, 1, 9, tzinfo=UTC)),
        ("2026-03-01t09:00:00z", datetime(2026, 3, 1, 9, tzinfo=UTC)),
        ("2026-03-01T09:00:00+05:30", datetime(2026, 3, 1, 3, 30, tzinfo=UTC)),
        ("2026-03-01T09:00:00-00:00", datetime(2026, 3, 1, 9, tzinfo=UTC)),
        ("2026-03-01T09:00:00.5Z", datetime(2026, 3, 1, 9, 0, 0, 500_000, tzinfo=UTC)),
        ("2026-03-01T09:00:00.123456Z", datetime(2026, 3, 1, 9, 0, 0, 123_456, tzinfo=UTC)),
        ("1970-01-01T00:00:00Z", datetime(1970, 1, 1, tzinfo=UTC)),
        ("2200-12-31T23:59:59Z", datetime(2200, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_rfc_3339_times_are_read_as_utc(text: str, moment: datetime) -> None:
    assert parse_time(text) == moment
    assert parse_time(text).tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-01T09:00:00",
        "2026-03-01",
        "2026-03-01 09:00:00Z",
        "2026-03-01T09:00Z",
        "2026-03-01T09:00:00+0100",
        "2026-03-01T09:00:00+01",
        "2026-03-01T09:00:00.1234567Z",
        "2026-03-01T09:00:00.Z",
        "2026-03-01T09:00:00,5Z",
        "2026-03-01T23:59:60Z",
        "2026-03-01T24:00:00Z",
        "2026-02-30T00:00:00Z",
        "2026-03-01T09:00:00+24:00",
        "2026-03-01T09:00:00+01:60",
        "1970-01-01T00:00:00+00:01",
        "2201-01-01T00:00:00Z",
        "1969-12-31T23:59:59Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-23:59",
        "२०२६-03-01T09:00:00Z",
        " 2026-03-01T09:00:00Z",
        "2026-03-01T09:00:00Z\n",
        "1772355600",
        "",
        1772355600,
        1772355600.0,
        True,
        None,
        ["2026-03-01T09:00:00Z"],
    ],
)
def test_what_is_no_rfc_3339_time_is_refused(text: object) -> None:
    with pytest.raises(PydanticCustomError):
        parse_time(text)


@given(st.datetimes(datetime(1970, 1, 1), datetime(2200, 12, 31)))  # noqa: DTZ001 - made aware below
def test_what_is_answered_is_read_as_the_same(naive: datetime) -> None:
    moment = naive.replace(tzinfo=UTC)
    assert parse_time(to_json(moment).decode().strip('"')) == moment


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("PT1H30M", timedelta(hours=1, minutes=30)),
        ("P1D", timedelta(days=1)),
        ("P2W", timedelta(weeks=2)),
        ("P1DT12H", timedelta(days=1, hours=12)),
        ("PT90S", timedelta(seconds=90)),
        ("PT0.5S", timedelta(seconds=0.5)),
        ("P366D", timedelta(days=366)),
    ],
)
def test_iso_8601_durations_of_fixed_length_are_read(text: str, duration: timedelta) -> None:
    assert parse_duration(text) == duration


@pytest.mark.parametrize(
    "text",
    ["", "P", "PT", "P1DT", "P1M", "P1Y", "1H", "PT-1H", "-PT1H", "PT0S", "P367D", "PT1,5S", 3600,
     "01:30:00", "PT1H ", "P999999999W"],
)  # fmt: skip
def test_durations_of_no_or_unclear_length_are_refused(text: object) -> None:
    with pytest.raises(PydanticCustomError):
        parse_duration(text)
