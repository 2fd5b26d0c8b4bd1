"""What Prometheus is told of the projections' lag, as it is known in the moment it asks."""

from collections.abc import Callable, Iterable, Sequence

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from infra.projecting.lag_watch import WatchedLag


class LagMetrics(Collector):
    """Gauges of each projection, for the registry of a process."""

    def __init__(self, lags: Callable[[], Sequence[WatchedLag]]) -> None:
        """Keep who knows.

        Args:
            lags: what was measured last, and how long ago.
        """
        self._lags = lags

    def collect(self) -> Iterable[Metric]:
        """Give all gauges."""
        lags = self._lags()
        yield _gauge(
            "events",
            "Events of all tenants that a projection does not have yet.",
            {each.lag.projection: each.lag.events for each in lags},
        )
        yield _gauge(
            "seconds",
            "Age of the oldest event that a projection does not have yet.",
            {each.lag.projection: each.lag.seconds for each in lags},
        )
        yield _gauge(
            "parked",
            "Tenants whose events a projection cannot apply any further.",
            {each.lag.projection: each.lag.parked for each in lags},
        )
        yield _gauge(
            "age_seconds",
            "How long ago a projector measured this; it grows where none is left.",
            {each.lag.projection: each.age for each in lags},
        )


def _gauge(name: str, tells: str, values: dict[str, float]) -> GaugeMetricFamily:
    gauge = GaugeMetricFamily(f"booking_projection_lag_{name}", tells, labels=["projection"])
    for projection, value in values.items():
        gauge.add_metric([projection], value)
    return gauge
