"""All circuits of a process, by what is at their other end: what is open is seen in one place.

A composition root makes one `Circuits`, and gives it to whatever calls something outside. Each of
these has its own circuit, or shares one with others that call the same with as much patience.
"""

import time
from collections.abc import Callable, Mapping
from contextvars import Context

import structlog

from infra.circuit_breaker import CircuitBreaker, State

log = structlog.get_logger(__name__)


class Circuits:
    """The circuits of one process. Belongs to one event loop."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """There is none yet.

        Args:
            clock: seconds that never go backwards.
        """
        self._clock = clock
        self._breakers: dict[str, tuple[CircuitBreaker, tuple[int, float]]] = {}

    def breaker(self, name: str, *, failures: int, pause_seconds: float) -> CircuitBreaker:
        """Make a circuit, or share the one of that name: what one caller learns, all know.

        Args:
            name: of what is at the other end, for people. It stands in `/metrics` and `/readyz`,
                so it is one that the settings or the program have: never an address with a secret,
                and nothing that a client or tenant can choose.
            failures: in a row, after which it is left alone.
            pause_seconds: for how long; then one call tries whether it is well again.

        Raises:
            ValueError: there is one of that name, and it has other numbers.
        """
        numbers = (failures, pause_seconds)
        if name not in self._breakers:
            breaker = CircuitBreaker(
                name,
                failures=failures,
                pause_seconds=pause_seconds,
                clock=self._clock,
                changed=_log_change,
            )
            self._breakers[name] = breaker, numbers
        breaker, given = self._breakers[name]
        if given != numbers:
            raise ValueError(f"the circuit {name} opens after {given}, not after {numbers}")
        return breaker

    def states(self) -> Mapping[str, State]:
        """Tell how each of them is; one that is open stays so until somebody tries again."""
        return {name: breaker.state for name, (breaker, _) in self._breakers.items()}


def _log_change(name: str, state: State) -> None:
    say = log.warning if state == "open" else log.info
    # In a context of its own: the line is about all, not about whoever found it out.
    Context().run(say, "circuits.changed", circuit=name, state=state)
