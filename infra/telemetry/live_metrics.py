"""What the process tells about those who listen to what happens."""

from collections.abc import Callable, Iterable
from typing import Literal

from prometheus_client import Counter, Gauge, Metric
from prometheus_client.registry import Collector

Ended = Literal["slow", "flood", "malformed", "unauthenticated", "expired"]
"""Why a socket was ended from this side."""


class LiveMetrics(Collector):
    """The figures, at zero first."""

    def __init__(self) -> None:
        """Makes them."""
        self._sockets = Gauge("booking_live_sockets", "Connected sockets.", registry=None)
        self._rooms = Gauge(
            "booking_live_rooms", "Rooms that somebody is subscribed to.", registry=None
        )
        self._sent = Counter(
            "booking_live_messages",
            "Changes and heartbeats sent, once for each who was told.",
            registry=None,
        )
        self._resumes = Counter(
            "booking_live_resumes",
            "Subscriptions that asked for what they had missed.",
            registry=None,
        )
        self._snapshots = Counter(
            "booking_live_snapshots_required",
            "Subscriptions that had missed too much to be told it.",
            registry=None,
        )
        self._ended = Counter(
            "booking_live_sockets_ended",
            "Sockets that were ended from this side, by why.",
            ["reason"],
            registry=None,
        )
        self._figures = (
            self._sockets,
            self._rooms,
            self._sent,
            self._resumes,
            self._snapshots,
            self._ended,
        )

    def collect(self) -> Iterable[Metric]:
        """Gives all figures."""
        for figure in self._figures:
            yield from figure.collect()

    def watch(self, sockets: Callable[[], int], rooms: Callable[[], int]) -> None:
        """Tells from now on how many there are.

        Args:
            sockets: how many are connected.
            rooms: how many have somebody in them.
        """
        self._sockets.set_function(sockets)
        self._rooms.set_function(rooms)

    def sent(self, messages: int) -> None:
        """So many messages were sent."""
        self._sent.inc(messages)

    def resumed(self) -> None:
        """A client asked for what it had missed."""
        self._resumes.inc()

    def snapshot_required(self) -> None:
        """A client had missed too much."""
        self._snapshots.inc()

    def ended(self, reason: Ended) -> None:
        """A socket was ended from this side."""
        self._ended.labels(reason).inc()
