"""How far before a window a booking may begin that still overlaps it: by classes of duration.

A search for what overlaps a window begins, in the index by start, as far before the window as a
booking can last. That a booking may last a year must not make each search read a year: each class
is read apart, from as far back as bookings of that class can last.
"""

from datetime import UTC, datetime, timedelta

from domain.period import MAX_DURATION

REACHES = (timedelta(hours=12), timedelta(days=3), timedelta(days=30), MAX_DURATION)
"""The longest duration of each class."""

LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)
"""Before every booking."""


def reach_of(start_time: datetime, end_time: datetime) -> int:
    """Tell the class of a booking.

    Args:
        start_time: when it starts.
        end_time: when it ends, exclusive; at most `MAX_DURATION` later.
    """
    duration = end_time - start_time
    return next(reach for reach, longest in enumerate(REACHES) if duration <= longest)


def earliest_starts(window_start: datetime | None) -> list[datetime]:
    """Tell, for each class, after when a booking starts that ends after the window's start.

    Args:
        window_start: None for a window that has always been open.
    """
    if window_start is None:
        return [LONG_AGO for _ in REACHES]
    return [window_start - longest for longest in REACHES]
