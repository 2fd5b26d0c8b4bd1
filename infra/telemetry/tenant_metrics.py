"""What Prometheus is told of single tenants, for the operator's eyes only: who is noisy.

A bounded number is named, the busiest; what the others use is counted together. Whoever becomes
busier than the least busy of those named takes its place: what was counted of it until then stays
where it was counted, so that no figure ever goes back.
"""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, generate_latest

from domain.ids import TenantId
from infra.usage.tally import Tally

MOST_NAMED = 100
OTHERS = "other"
FADING = 0.95  # of what one was busy with before, at each telling


class TenantMetrics:
    """The figures of one process, by tenant."""

    def __init__(self, most_named: int = MOST_NAMED) -> None:
        """Name nobody yet.

        Args:
            most_named: how many tenants have figures of their own.
        """
        self._registry = CollectorRegistry()
        self._most_named = most_named
        self._busy: dict[TenantId, float] = {}
        self._commands = self._counter("commands", "Commands that were asked for.")
        self._events = self._counter("events", "Events that were appended to the log.")
        self._queries = self._counter("queries", "Requests that read.")
        self._seconds = self._counter("seconds", "Seconds that requests were under way.")
        self._refused = self._counter("rate_limited", "Requests refused by a rate limit.")

    def _counter(self, name: str, tells: str) -> Counter:
        return Counter(f"booking_tenant_{name}", tells, ["tenant"], registry=self._registry)

    def used(self, tallies: Mapping[TenantId, Tally]) -> None:
        """Some tenants have used something since the last telling.

        Args:
            tallies: what.
        """
        for tenant_id in self._busy:
            self._busy[tenant_id] *= FADING
        for tenant_id, tally in tallies.items():
            named = self._named(tenant_id, tally.seconds)
            label = str(tenant_id) if named else OTHERS
            self._commands.labels(label).inc(tally.commands)
            self._events.labels(label).inc(tally.events)
            self._queries.labels(label).inc(tally.queries)
            self._seconds.labels(label).inc(tally.seconds)
            self._refused.labels(label).inc(tally.refused)

    def exposition(self) -> bytes:
        """Gives all figures in Prometheus' text format."""
        return generate_latest(self._registry)

    def _named(self, tenant_id: TenantId, seconds: float) -> bool:
        if tenant_id not in self._busy and len(self._busy) >= self._most_named:
            idlest = min(self._busy, key=self._busy.__getitem__)
            if self._busy[idlest] >= seconds:
                return False
            self._unname(idlest)
        self._busy[tenant_id] = self._busy.get(tenant_id, 0.0) + seconds
        return True

    def _unname(self, tenant_id: TenantId) -> None:
        del self._busy[tenant_id]
        for counter in (self._commands, self._events, self._queries, self._seconds, self._refused):
            counter.remove(str(tenant_id))
