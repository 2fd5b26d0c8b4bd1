"""What Prometheus is told of webhooks, by whichever process it asks: all senders together."""

from collections.abc import Callable, Iterable, Mapping

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from infra.webhooks.figures import COUNTED

_MEASURED = {
    "disabled": ("booking_webhook_endpoints_disabled", "Endpoints disabled by what they answered."),
    "lag_events": ("booking_webhook_lag_events", "Events that endpoints have not been sent yet."),
    "lag_seconds": ("booking_webhook_lag_seconds", "Age of the oldest of these."),
}


class WebhookMetrics(Collector):
    """Figures of the whole installation, for the registry of a process."""

    def __init__(self, figures: Callable[[], Mapping[str, float]]) -> None:
        """Keep who knows.

        Args:
            figures: what senders have kept last.
        """
        self._figures = figures

    def collect(self) -> Iterable[Metric]:
        """Give all figures."""
        figures = self._figures()
        attempts = CounterMetricFamily(
            "booking_webhook_attempts",
            "Messages that were sent, by what became of them.",
            labels=["outcome"],
        )
        for outcome in COUNTED:
            attempts.add_metric([outcome], figures.get(outcome, 0.0))
        yield attempts
        for figure, (name, tells) in _MEASURED.items():
            if figure in figures:
                yield GaugeMetricFamily(name, tells, value=figures[figure])
