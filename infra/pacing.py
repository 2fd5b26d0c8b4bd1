"""Long work on the event loop in short slices, so that no request waits for all of another's.

One thread does all of a process's work in Python. Five hundred commands decided at a stretch keep
everybody else waiting for a tenth of a second; a few such requests side by side, for their sum. So
long work pauses after each slice, and of all that pause, one goes on in each round of the loop.
"""

import asyncio
from collections import deque
from time import perf_counter

SLICE_SECONDS = 0.001


class Rounds:
    """The rounds of the loop, given to all long work of a process, one after the other."""

    def __init__(self) -> None:
        """Nobody waits."""
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def next(self) -> None:
        """Waits for one's own round: until everybody else could do something."""
        loop = asyncio.get_running_loop()
        own_round: asyncio.Future[None] = loop.create_future()
        self._waiting.append(own_round)
        if len(self._waiting) == 1:
            loop.call_soon(self._give)
        await own_round

    def _give(self) -> None:
        own_round = self._waiting.popleft()
        if not own_round.done():  # else it was given up
            own_round.set_result(None)
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._give)


class Pace:
    """One piece of long work: call `pause` between any two of its steps."""

    def __init__(self, rounds: Rounds) -> None:
        """Begins with a slice of time.

        Args:
            rounds: shared with all other long work.
        """
        self._rounds = rounds
        self._until = perf_counter() + SLICE_SECONDS

    async def pause(self) -> None:
        """Lets others go on, if the slice is used up."""
        if perf_counter() < self._until:
            return
        await self._rounds.next()
        self._until = perf_counter() + SLICE_SECONDS
