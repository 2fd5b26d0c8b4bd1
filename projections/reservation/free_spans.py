"""What a window leaves free once the occupied spans are taken out: arithmetic, no database."""

from collections.abc import Iterable

Span = tuple[int, int]
"""From the first until just before the second, in microseconds since some moment; never empty.

A question may be about fifty thousand of them: as numbers they cost a twentieth of what objects do.
"""


def free_spans(window: Span, occupied: Iterable[Span], at_least: int) -> list[Span]:
    """Find the gaps of a window.

    Args:
        window: what is looked at; nothing outside of it is answered.
        occupied: in any order; may overlap one another and reach over the window.
        at_least: how long a gap must be to count; zero for every gap.

    Returns:
        The gaps, in order, each as long as it can be. Spans are half-open: what ends where the
        next starts leaves no gap.
    """
    free: list[Span] = []
    reached, window_end = window
    for start, end in sorted(occupied):
        if start >= window_end:
            break
        if reached < start and start - reached >= at_least:
            free.append((reached, start))
        reached = max(reached, end)
    if reached < window_end and window_end - reached >= at_least:
        free.append((reached, window_end))
    return free
