"""What the process tells Prometheus about itself.

No tenant is named: the figures are of the whole installation. Those of single tenants, which no
tenant's key is shown, stand in `infra.telemetry.tenant_metrics`.
"""

from collections.abc import Callable
from functools import cache

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.registry import Collector

_COMMIT_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_HTTP_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5, 5.0)
_BATCH_COMMANDS = (1, 2, 4, 8, 16, 32, 64, 128)


class Metrics:
    """The figures of one process, in a registry of its own."""

    def __init__(self) -> None:
        """Makes all figures, at zero."""
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        GCCollector(registry=self._registry)
        self._batch_commands = Histogram(
            "booking_commit_batch_commands",
            "Commands that were committed together.",
            buckets=_BATCH_COMMANDS,
            registry=self._registry,
        )
        self._commit_seconds = Histogram(
            "booking_commit_seconds",
            "From sending a batch to its last answer.",
            buckets=_COMMIT_SECONDS,
            registry=self._registry,
        )
        self._waiting = Gauge(
            "booking_commit_queue_commands", "Commands waiting to be sent.", registry=self._registry
        )
        self._verdicts = Counter(
            "booking_commands",
            "Commands by what was decided of them.",
            ["verdict"],
            registry=self._registry,
        )
        self._decided = cache(self._verdicts.labels)
        self._http_seconds = Histogram(
            "booking_http_request_seconds",
            "From a request's head to the end of its answer.",
            ["method", "route", "status"],
            buckets=_HTTP_SECONDS,
            registry=self._registry,
        )
        self._lapses = Counter(
            "booking_scheduler_lapses",
            "Holds that the scheduler recorded as lapsed.",
            registry=self._registry,
        )
        self._webhooks = Counter(
            "booking_webhooks",
            "Deliveries from token issuers by what became of them.",
            ["outcome"],
            registry=self._registry,
        )
        self._rate_limited = Counter(
            "booking_rate_limited",
            "Requests refused by a rate limit.",
            registry=self._registry,
        )
        self._refusals_dropped = Counter(
            "booking_refusals_dropped",
            "Refused commands that were not kept, since too many were waiting.",
            registry=self._registry,
        )

        self._cache_looks = Counter(
            "booking_cache_looks",
            "Looks for the answer to a read: in which layer, for what, and whether it was there.",
            ["layer", "kind", "outcome"],
            registry=self._registry,
        )
        self._cache_entries = Gauge(
            "booking_cache_entries", "Answers that are kept in memory.", registry=self._registry
        )
        self._cache_bytes = Gauge(
            "booking_cache_bytes", "How much memory these take.", registry=self._registry
        )
        self._looked = cache(self._cache_looks.labels)

    def looked(self, kind: str, layer: str, there: bool) -> None:  # noqa: FBT001 - a fact, not a mode
        """An answer was looked for.

        Args:
            kind: of the answer.
            layer: `memory` or `redis`.
            there: whether it was there.
        """
        self._looked(layer, kind, "hit" if there else "miss").inc()

    def watch_cache(self, entries: Callable[[], int], size: Callable[[], int]) -> None:
        """Tells of the answers in memory from now on.

        Args:
            entries: how many they are.
            size: of all of them, in bytes.
        """
        self._cache_entries.set_function(entries)
        self._cache_bytes.set_function(size)

    def refusals_dropped(self, refusals: int) -> None:
        """So many refused commands could not be kept."""
        self._refusals_dropped.inc(refusals)

    def rate_limited(self) -> None:
        """A request was refused by a rate limit."""
        self._rate_limited.inc()

    def watch_queue(self, waiting: Callable[[], int]) -> None:
        """Tells of a queue from now on.

        Args:
            waiting: how many commands wait in it; asked when somebody asks for the figures, since
                they come and go too fast to be told of each.
        """
        self._waiting.set_function(waiting)

    def watch(self, collector: Collector) -> None:
        """Tells from now on also what somebody else knows.

        Args:
            collector: is asked when somebody asks for the figures.
        """
        self._registry.register(collector)

    def committed(self, commands: int, seconds: float) -> None:
        """A batch was sent and answered."""
        self._batch_commands.observe(commands)
        self._commit_seconds.observe(seconds)

    def decided(self, verdict: str) -> None:
        """A command got this verdict."""
        self._decided(verdict).inc()

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """An HTTP request was answered.

        Args:
            method: of the request.
            route: its template, not its path, so that ids make no series of their own.
            status: of the answer.
            seconds: that it took.
        """
        self._http_seconds.labels(method, route, str(status)).observe(seconds)

    def lapsed(self, holds: int) -> None:
        """The scheduler recorded so many lapses."""
        self._lapses.inc(holds)

    def webhook(self, outcome: str) -> None:
        """A webhook came, and this became of it."""
        self._webhooks.labels(outcome).inc()

    def exposition(self) -> bytes:
        """Gives all figures in Prometheus' text format."""
        return generate_latest(self._registry)
