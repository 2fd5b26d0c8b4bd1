"""What Prometheus is told of circuits: those of the process it asks, and those told by others."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from infra.circuit_breaker import State
from infra.told_circuits import ToldCircuit

_LABELS = ["circuit", "process"]
_HERE = "server"


class CircuitMetrics(Collector):
    """Gauges of each circuit, for the registry of a process."""

    def __init__(
        self,
        states: Callable[[], Mapping[str, State]],
        elsewhere: Callable[[], Sequence[ToldCircuit]],
    ) -> None:
        """Keep who knows.

        Args:
            states: of the circuits of this process.
            elsewhere: those of processes that answer no requests.
        """
        self._states = states
        self._elsewhere = elsewhere

    def collect(self) -> Iterable[Metric]:
        """Give all gauges. A circuit that is tried again still counts as open."""
        left_alone = GaugeMetricFamily(
            "booking_circuit_open",
            "How many circuits are open: what is at their other end did not answer.",
            labels=_LABELS,
        )
        age = GaugeMetricFamily(
            "booking_circuit_age_seconds",
            "How long ago a process told of a circuit that answers no requests.",
            labels=_LABELS,
        )
        for name, state in self._states().items():
            left_alone.add_metric([name, _HERE], state != "closed")
        for each in self._elsewhere():
            left_alone.add_metric([each.circuit, each.process], each.left_alone)
            age.add_metric([each.circuit, each.process], each.age)
        yield left_alone
        yield age
