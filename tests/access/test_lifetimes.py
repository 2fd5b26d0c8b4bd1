"""Durations and times as they are typed."""

from datetime import UTC, datetime, timedelta

import pytest

from infra.access import AccessError
from infra.access.lifetimes import duration_from, expiry_from

NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("30m", timedelta(minutes=30)),
        ("24h", timedelta(hours=24)),
        ("90d", timedelta(days=90)),
        ("2w", timedelta(weeks=2)),
        ("0m", timedelta()),
    ],
)
def test_a_duration_is_a_number_with_a_unit(text: str, duration: timedelta) -> None:
    assert duration_from(text) == duration


@pytest.mark.parametrize(
    "text", ["", "h", "24", "-1h", "1.5h", "1 h", "24H", "99999d", "\u0661h", "1h\n"]
)
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(AccessError, match="24h"):
        duration_from(text)


@pytest.mark.parametrize(
    ("text", "expiry"),
    [
        ("90d", NOW + timedelta(days=90)),
        ("2027-04-01T00:00:00Z", datetime(2027, 4, 1, tzinfo=UTC)),
        ("2027-04-01T02:00+02:00", datetime(2027, 4, 1, tzinfo=UTC)),
    ],
)
def test_an_expiry_is_a_duration_from_now_or_a_time(text: str, expiry: datetime) -> None:
    assert expiry_from(text, NOW) == expiry


@pytest.mark.parametrize("text", ["soon", "", "2027-04-01", "2027-04-01T00:00:00", "90 d"])
def test_an_expiry_without_an_offset_is_no_time(text: str) -> None:
    with pytest.raises(AccessError, match="offset"):
        expiry_from(text, NOW)


@pytest.mark.parametrize(
    "text",
    ["0d", "2027-03-01T12:00:00Z", "2027-03-01T13:00:00+02:00", "9999w", "9999-12-31T23:59Z"],
)
def test_an_expiry_that_has_passed_or_is_ages_away_is_refused(text: str) -> None:
    with pytest.raises(AccessError, match="next 100 years"):
        expiry_from(text, NOW)
