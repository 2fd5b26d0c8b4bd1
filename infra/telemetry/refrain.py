"""A log line that may be due a thousand times a second: told at once, and then once a second.

A line for each time would cost more than what it tells of, and bury all others.
"""

import asyncio
from collections.abc import Callable
from contextvars import Context
from typing import Protocol

SILENCE_SECONDS = 1.0


class Later(Protocol):
    """Calls a function after a number of seconds, as the loop's `call_later` does."""

    def __call__(self, delay: float, callback: Callable[[], None], /) -> object:
        """Does so."""


class Refrain:
    """One such line. Belongs to the event loop that it is first due in."""

    def __init__(self, tell: Callable[[int], None], later: Later | None = None) -> None:
        """Nothing is due yet.

        Args:
            tell: writes the line; is given how often it was due since it was written last.
            later: waits for the silence to end; the running loop's, if it is not given.
        """
        self._tell = tell
        self._later = later
        self._silent = False
        self._untold = 0

    def due(self) -> None:
        """Tells it now, or with the others when the silence ends: none is left untold."""
        self._untold += 1
        if not self._silent:
            self._speak()

    def _speak(self) -> None:
        self._silent = self._untold > 0
        if not self._silent:
            return
        times, self._untold = self._untold, 0
        later = self._later or asyncio.get_running_loop().call_later
        later(SILENCE_SECONDS, self._speak)
        # In a context of its own: the line is about many, not about whoever made it due.
        Context().run(self._tell, times)
