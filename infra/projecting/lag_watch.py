"""What a serving process knows of the projections' lag: what some runner measured last."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from infra.postgres.pool import Pool
from infra.projecting.lag import Lag, read_lags
from infra.watching import Watch


@dataclass(frozen=True, slots=True)
class WatchedLag:
    """A projection's lag, and how long ago that was so.

    Attributes:
        lag: as it was measured.
        age: of the measurement, in seconds; it grows where no runner is left to measure.
    """

    lag: Lag
    age: float


class LagWatch(Watch[Sequence[Lag]]):
    """Reads every few seconds what was measured."""

    def __init__(
        self, pool: Pool, projections: Collection[str], monotonic: Callable[[], float]
    ) -> None:
        """Know nothing yet.

        Args:
            pool: connections whose login may become `booking_background`.
            projections: the names of those to tell of.
            monotonic: seconds that never go back.
        """
        super().__init__(pool, read_lags, (), monotonic)
        self._projections = frozenset(projections)

    def lags(self) -> list[WatchedLag]:
        """Tell what was measured last; nothing of a projection that no runner has ever measured."""
        since = self.age()
        return [
            WatchedLag(lag, lag.age + since)
            for lag in self.known()
            if lag.projection in self._projections
        ]
