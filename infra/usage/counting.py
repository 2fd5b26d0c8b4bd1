"""Counts what tenants use, in this process, since it was last asked."""

from collections import defaultdict

from domain.ids import TenantId
from infra.usage.tally import Tally


class Counting:
    """The tallies of those who did anything."""

    def __init__(self) -> None:
        """Nobody has."""
        self._tallies: defaultdict[TenantId, Tally] = defaultdict(Tally)

    def answered(self, tenant_id: TenantId, *, commands: int, queries: int, seconds: float) -> None:
        """A request was answered.

        Args:
            tenant_id: whose.
            commands: that it asked for.
            queries: 1 if it read.
            seconds: that it took.
        """
        tally = self._tallies[tenant_id]
        tally.commands += commands
        tally.queries += queries
        tally.seconds += seconds

    def refused(self, tenant_id: TenantId) -> None:
        """A request was turned away by a rate limit.

        Args:
            tenant_id: whose.
        """
        self._tallies[tenant_id].refused += 1

    def appended(self, tenant_id: TenantId, events: int) -> None:
        """Events were committed.

        Args:
            tenant_id: to whose log.
            events: how many.
        """
        self._tallies[tenant_id].events += events

    def take(self) -> dict[TenantId, Tally]:
        """Give what was counted since the last time, and begin anew."""
        taken, self._tallies = self._tallies, defaultdict(Tally)
        return dict(taken)
