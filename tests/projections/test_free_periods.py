"""Free periods against the simplest model of them: a list of minutes."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from domain.period import Period
from projections.reservation.free_periods import free_periods

EPOCH = datetime(2026, 3, 1, tzinfo=UTC)
HORIZON = 120


def minutes(start: int, end: int) -> Period:
    return Period(EPOCH + timedelta(minutes=start), EPOCH + timedelta(minutes=end))


@st.composite
def spans(draw: st.DrawFn) -> tuple[int, int]:
    start = draw(st.integers(0, HORIZON - 1))
    return start, draw(st.integers(start + 1, HORIZON))


@given(window=spans(), occupied=st.lists(spans(), max_size=12), at_least=st.integers(0, 40))
def test_free_is_each_run_of_minutes_that_nothing_occupies_and_that_is_long_enough(
    window: tuple[int, int], occupied: list[tuple[int, int]], at_least: int
) -> None:
    taken = {minute for start, end in occupied for minute in range(start, end)}
    runs: list[list[int]] = []
    for minute in range(*window):
        if minute in taken:
            continue
        if runs and runs[-1][-1] == minute - 1:
            runs[-1].append(minute)
        else:
            runs.append([minute])

    found = free_periods(
        minutes(*window), [minutes(*span) for span in occupied], timedelta(minutes=at_least)
    )

    assert found == tuple(minutes(run[0], run[-1] + 1) for run in runs if len(run) >= at_least)


def test_adjacent_bookings_leave_nothing_between_them() -> None:
    assert free_periods(minutes(0, 60), [minutes(30, 60), minutes(0, 30)], timedelta(0)) == ()


def test_a_window_without_bookings_is_free_as_a_whole() -> None:
    assert free_periods(minutes(0, 60), [], timedelta(hours=1)) == (minutes(0, 60),)
    assert free_periods(minutes(0, 60), [], timedelta(hours=2)) == ()
