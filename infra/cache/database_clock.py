"""The database's clock, as far as this process knows it: never earlier than it is.

Only that clock decides when a hold expires: what Redis or this machine call the time does not
count.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

TRUST_SECONDS = 60.0
"""After which a reading is too old: clocks are set, and run apart."""


class DatabaseClock:
    """The last reading of the database's clock."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Know nothing yet.

        Args:
            clock: seconds that never go backwards.
        """
        self._clock = clock
        self._read: tuple[datetime, float] | None = None

    def read(self, now: datetime, asked: float) -> None:
        """Learn what it said.

        Args:
            now: the time it told.
            asked: when it was asked, by this process' clock.
        """
        self._read = (now, asked)

    def deadline(self, time: datetime) -> float | None:
        """Tell when a time comes, by this process' clock, and rather too early than too late.

        Args:
            time: by the database's clock.

        Returns:
            Seconds of this process' clock; None where the last reading is too old to tell.
        """
        if self._read is None:
            return None
        now, asked = self._read
        if self._clock() - asked > TRUST_SECONDS:
            return None
        return asked + (time - now) / timedelta(seconds=1)
