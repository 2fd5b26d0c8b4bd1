"""Free spans against the simplest model of them: a list of minutes."""

from hypothesis import given
from hypothesis import strategies as st

from projections.reservation.free_spans import Span, free_spans

HORIZON = 120


@st.composite
def spans(draw: st.DrawFn) -> Span:
    start = draw(st.integers(0, HORIZON - 1))
    return start, draw(st.integers(start + 1, HORIZON))


@given(window=spans(), occupied=st.lists(spans(), max_size=12), at_least=st.integers(0, 40))
def test_free_is_each_run_of_minutes_that_nothing_occupies_and_that_is_long_enough(
    window: Span, occupied: list[Span], at_least: int
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

    found = free_spans(window, occupied, at_least)

    assert found == [(run[0], run[-1] + 1) for run in runs if len(run) >= at_least]


def test_adjacent_bookings_leave_nothing_between_them() -> None:
    assert free_spans((0, 60), [(30, 60), (0, 30)], 0) == []


def test_a_window_without_bookings_is_free_as_a_whole() -> None:
    assert free_spans((0, 60), [], 60) == [(0, 60)]
    assert free_spans((0, 60), [], 61) == []
