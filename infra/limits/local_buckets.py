"""Buckets of this process alone: what others let in, they do not know.

With several processes and no Redis, each of them lets in the whole of a limit.
"""

from collections.abc import Sequence

from infra.limits.allowance import Limits, Taken

MOST_BUCKETS = 20_000
KEPT = 0.9  # of these, after making room
ROUNDING_SECONDS = 1e-6


class LocalBuckets:
    """Buckets by whose they are, as far as they are not full."""

    def __init__(self, most: int = MOST_BUCKETS) -> None:
        """Make them all full.

        Args:
            most: how many are remembered.
        """
        self._most = most
        self._full_at: dict[object, float] = {}

    def __len__(self) -> int:
        """Tell how many are remembered."""
        return len(self._full_at)

    def take(self, limits: Limits, whose: Sequence[object], now: float) -> Taken:
        """Take a token from every bucket, or none from any.

        Args:
            limits: that count.
            whose: for each of their buckets, in their order, what tells it from all others.
            now: seconds of a clock that never goes back.
        """
        full_at = self._full_at
        to_full: list[float] = []
        wait = ROUNDING_SECONDS
        for bucket, name in zip(limits.buckets, whose, strict=True):
            seconds = full_at.get(name, now) - now
            if seconds < 0.0:
                seconds = 0.0
            elif seconds > bucket.deepest:  # as under a lower limit than this one
                seconds = bucket.deepest
            wait = max(wait, seconds + bucket.interval - bucket.window)
            to_full.append(seconds)
        if wait > ROUNDING_SECONDS:
            return Taken(limits, to_full, wait)
        return self._put_off(limits, whose, to_full, now, 1)

    def charge(self, limits: Limits, whose: Sequence[object], now: float, cost: int) -> Taken:
        """Take tokens whether they are there or not; what comes next waits longer for it.

        Args:
            limits: that count.
            whose: as for `take`.
            now: as for `take`.
            cost: how many.
        """
        to_full = [max(0.0, self._full_at.get(name, now) - now) for name in whose]
        return self._put_off(limits, whose, to_full, now, cost)

    def _put_off(
        self,
        limits: Limits,
        whose: Sequence[object],
        to_full: list[float],
        now: float,
        cost: int,
    ) -> Taken:
        for place, bucket in enumerate(limits.buckets):
            seconds = min(to_full[place] + cost * bucket.interval, bucket.deepest)
            to_full[place] = seconds
            self._full_at[whose[place]] = now + seconds
        if len(self._full_at) > self._most:
            self._make_room(now)
        return Taken(limits, to_full, 0.0)

    def _make_room(self, now: float) -> None:
        """Forget those that are full by now, and if these are few, the ones begun longest ago.

        Whoever is forgotten has a full bucket again: nobody is refused for want of room.
        """
        for name in [name for name, full_at in self._full_at.items() if full_at <= now]:
            del self._full_at[name]
        over = len(self._full_at) - int(self._most * KEPT)
        for name in list(self._full_at)[: max(0, over)]:
            del self._full_at[name]
