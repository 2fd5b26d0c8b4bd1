"""What a serving process knows of the circuits of others, which answer no requests."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from infra.postgres.pool import Pool
from infra.told_circuits import ToldCircuit, read_circuits
from infra.watching import Watch


class CircuitWatch(Watch[Sequence[ToldCircuit]]):
    """Reads every few seconds what they have told."""

    def __init__(self, pool: Pool, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Know nothing yet.

        Args:
            pool: connections whose login may become `booking_background`.
            monotonic: seconds that never go back.
        """
        super().__init__(pool, read_circuits, (), monotonic)

    def circuits(self) -> list[ToldCircuit]:
        """Tell what is still believed, also where it could not be read anew."""
        since = self.age()
        return [
            replace(each, age=each.age + since, holds=each.holds - since)
            for each in self.known()
            if each.holds > since
        ]
