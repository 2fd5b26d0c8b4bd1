"""What a window leaves free once the occupied periods are taken out: arithmetic, no database."""

from collections.abc import Iterable
from datetime import timedelta

from domain.period import Period


def free_periods(
    window: Period, occupied: Iterable[Period], at_least: timedelta
) -> tuple[Period, ...]:
    """Find the gaps of a window.

    Args:
        window: what is looked at; nothing outside of it is answered.
        occupied: in any order; may overlap one another and reach over the window.
        at_least: how long a gap must be to count; zero for every gap.

    Returns:
        The gaps, in order, each as long as it can be. Periods are half-open: what ends where the
        next starts leaves no gap.
    """
    free: list[Period] = []
    reached = window.start
    for taken in sorted(occupied, key=lambda period: period.start):
        gap_end = min(taken.start, window.end)
        if reached < gap_end and gap_end - reached >= at_least:
            free.append(Period(reached, gap_end))
        reached = max(reached, taken.end)
    if reached < window.end and window.end - reached >= at_least:
        free.append(Period(reached, window.end))
    return tuple(free)
