"""Ceases to call what does not answer, so that nobody waits for it, and tries it again later.

The states and what leads from one to another are purgatory's. Kept here is what it leaves to its
caller: a clock that never goes backwards (its own is the wall clock, and would keep a circuit open
for as long as that is set back), one trial at a time once the pause is over, and that a call which
was given up says nothing about the other side.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from purgatory.domain.messages.events import ContextChanged
from purgatory.domain.model import CLOSED, HALF_OPENED, OPENED, Context

State = Literal["closed", "open", "half-open"]
Changed = Callable[[str, State], None]

_STATES: dict[str, State] = {CLOSED: "closed", OPENED: "open", HALF_OPENED: "half-open"}


class CircuitOpen(Exception):
    """The other side did not answer lately, and is not asked now."""

    def __init__(self, name: str) -> None:
        """Names the circuit."""
        super().__init__(f"{name} did not answer lately, and is left alone for a while")
        self.name = name


class CircuitBreaker:
    """One circuit: calls to one other side. Belongs to one event loop."""

    def __init__(
        self,
        name: str,
        *,
        failures: int,
        pause_seconds: float,
        clock: Callable[[], float],
        changed: Changed | None = None,
    ) -> None:
        """Starts closed: calls pass.

        Args:
            name: of the other side, for people.
            failures: in a row, after which it is left alone.
            pause_seconds: for how long.
            clock: seconds that never go backwards.
            changed: is told the name and the new state.
        """
        self.name = name
        self._failures = failures
        self._pause_seconds = pause_seconds
        self._clock = clock
        self._changed = changed
        self._context = Context(name, failures, math.inf)  # our clock ends the pause, not its own
        self._opened_at = 0.0
        self._trying = False

    @property
    def state(self) -> State:
        """Whether calls pass: all, none, or the one that tries."""
        return _STATES[self._context.state]

    @contextmanager
    def guard(self, counting: tuple[type[Exception], ...] = (Exception,)) -> Iterator[None]:
        """Stands around one call, and learns from how it ends.

        Args:
            counting: errors of the other side; all others show nothing of it.

        Raises:
            CircuitOpen: the call is not to be made.
        """
        self._enter()
        try:
            yield
        except counting as error:
            self._context.handle_exception(error)
            raise
        else:
            self._context.handle_end_request()
        finally:  # a call that was given up has shown nothing: the next one tries
            self._trying = False
            self._tell()

    def _enter(self) -> None:
        if self.state == "open" and self._clock() - self._opened_at >= self._pause_seconds:
            self._context = Context(self.name, self._failures, math.inf, state=HALF_OPENED)
            self._notify()
        if self.state == "closed":
            return
        if self.state == "open" or self._trying:
            raise CircuitOpen(self.name)
        self._trying = True

    def _tell(self) -> None:
        messages, self._context.messages = self._context.messages, []
        if any(isinstance(message, ContextChanged) for message in messages):
            if self.state == "open":
                self._opened_at = self._clock()
            self._notify()

    def _notify(self) -> None:
        if self._changed is not None:
            self._changed(self.name, self.state)
