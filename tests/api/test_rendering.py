"""Bodies that are made in another way than the rest come out as if they were not."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import to_json

from api.rendering import availability_body
from projections.reservation.availability import Availability

TIMES = st.datetimes(datetime(1970, 1, 1), datetime(2200, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001


@given(start=TIMES, end=TIMES)
def test_the_times_of_free_periods_are_written_like_all_others(
    start: datetime, end: datetime
) -> None:
    body = availability_body(Availability(resources=(), common=((start, end),), unknown=()))

    assert to_json(body["common"]) == to_json([{"start_time": start, "end_time": end}])
