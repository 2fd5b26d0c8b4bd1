"""Times in tables: offsets, zones, and the hours that clocks skip or show twice."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.importing.moments import NotAMoment, WrongFormat, check_format, read_moment

NEW_YORK = ZoneInfo("America/New_York")
PERMITS = "%m/%d/%Y %I:%M:%S %p"


@pytest.mark.parametrize(
    ("text", "datetime_format", "instant"),
    [
        ("05/03/2023 06:00:00 AM", PERMITS, datetime(2023, 5, 3, 10, tzinfo=UTC)),
        (" 12/03/2023 06:00:00 PM ", PERMITS, datetime(2023, 12, 3, 23, tzinfo=UTC)),
        ("2023-05-03 06:00", None, datetime(2023, 5, 3, 10, tzinfo=UTC)),
        ("2023-05-03T06:00:00+02:00", None, datetime(2023, 5, 3, 4, tzinfo=UTC)),
        ("2023-05-03T06:00:00Z", None, datetime(2023, 5, 3, 6, tzinfo=UTC)),
        ("03.05.23 06:00 +0200", "%d.%m.%y %H:%M %z", datetime(2023, 5, 3, 4, tzinfo=UTC)),
        ("2023-05-03", None, datetime(2023, 5, 3, 4, tzinfo=UTC)),
    ],
)
def test_an_offset_is_believed_and_its_absence_means_the_zone(
    text: str, datetime_format: str | None, instant: datetime
) -> None:
    moment = read_moment(text, NEW_YORK, datetime_format)

    assert moment == instant
    assert moment.utcoffset() == timedelta(0)


def test_an_hour_that_the_clocks_skip_does_not_exist() -> None:
    with pytest.raises(NotAMoment, match="does not exist in America/New_York"):
        read_moment("2023-03-12 02:30", NEW_YORK, None)
    assert read_moment("2023-03-12 03:00", NEW_YORK, None) == datetime(2023, 3, 12, 7, tzinfo=UTC)


def test_an_hour_that_the_clocks_show_twice_is_the_first() -> None:
    summer = read_moment("2023-11-05 01:30", NEW_YORK, None)

    assert summer == datetime(2023, 11, 5, 5, 30, tzinfo=UTC)
    assert read_moment("2023-11-05 01:30-05:00", NEW_YORK, None) - summer == timedelta(hours=1)


@pytest.mark.parametrize("text", ["", "  "])
def test_nothing_is_no_time(text: str) -> None:
    with pytest.raises(NotAMoment, match="there is no time"):
        read_moment(text, NEW_YORK, None)


@pytest.mark.parametrize(
    "text", ["soon", "13/45/2023", "2023-02-30", "2023-05-03T25:00", "٣", "\0"]
)
@pytest.mark.parametrize("datetime_format", [None, PERMITS])
def test_what_cannot_be_read_is_quoted_with_the_form_it_should_have(
    text: str, datetime_format: str | None
) -> None:
    form = "ISO 8601" if datetime_format is None else PERMITS
    with pytest.raises(NotAMoment) as refused:
        read_moment(text, NEW_YORK, datetime_format)

    assert repr(text) in str(refused.value)
    assert form in str(refused.value)


@pytest.mark.parametrize("text", ["0001-01-01 00:00", "9999-12-31 23:59", "0001-01-01T00:00+14:00"])
@pytest.mark.parametrize("zone", ["America/New_York", "Pacific/Kiritimati"])
def test_the_ends_of_the_calendar_are_no_crash(text: str, zone: str) -> None:
    with suppress(NotAMoment):
        assert read_moment(text, ZoneInfo(zone), None).year in {1, 9999}


@pytest.mark.parametrize("datetime_format", ["%Q", "%d %d", "%", "%Y-%m-%d %"])
def test_a_format_that_nothing_can_be_read_with_is_refused_at_once(datetime_format: str) -> None:
    with pytest.raises(WrongFormat, match="is no format"):
        check_format(datetime_format)


@pytest.mark.parametrize(
    "datetime_format", [PERMITS, "%c", "%Y-%m-%dT%H:%M:%S%z", "%d %b %Y %H:%M"]
)
def test_a_format_that_can_be_read_with_passes(datetime_format: str) -> None:
    check_format(datetime_format)


@given(
    st.datetimes(datetime(1971, 1, 1), datetime(2199, 1, 1)),  # noqa: DTZ001 - it stands on a clock
    st.sampled_from(["America/New_York", "Europe/Vienna", "Australia/Lord_Howe", "Asia/Kolkata"]),
)
def test_what_is_read_is_what_the_clocks_show_or_refused(local: datetime, key: str) -> None:
    zone = ZoneInfo(key)
    try:
        moment = read_moment(local.isoformat(), zone, None)
    except NotAMoment:
        shown = [local.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1)]
        assert shown[0] != shown[1]
    else:
        assert moment.astimezone(zone).replace(tzinfo=None, fold=0) == local
