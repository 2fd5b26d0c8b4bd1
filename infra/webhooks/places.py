"""How many messages are under way at once: in all, of a tenant, and of an endpoint.

An endpoint to which nothing could be delivered lately has one place, so that many which hang do
not take the places of those that answer.
"""

from collections import Counter

from domain.ids import TenantId
from infra.webhooks.line import Line

IN_ALL = 128
OF_A_TENANT = 16
OF_AN_ENDPOINT = 8


class Places:
    """The places of one sender. Belongs to one event loop."""

    def __init__(
        self,
        in_all: int = IN_ALL,
        of_a_tenant: int = OF_A_TENANT,
        of_an_endpoint: int = OF_AN_ENDPOINT,
    ) -> None:
        """All are free.

        Args:
            in_all: how many there are.
            of_a_tenant: how many one tenant's endpoints may have together.
            of_an_endpoint: how many one of them may have.
        """
        self._in_all = in_all
        self._of_a_tenant = of_a_tenant
        self._of_an_endpoint = of_an_endpoint
        self._tenants: Counter[TenantId] = Counter()
        self._lines: Counter[Line] = Counter()

    def taken_by(self, line: Line) -> int:
        """How many an endpoint has."""
        return self._lines[line]

    def take(self, line: Line, at_most: int) -> int:
        """Takes places.

        Args:
            line: for which endpoint.
            at_most: how many are wanted, together with those that it has.

        Returns:
            How many it got, perhaps none.
        """
        places = min(
            self._in_all - self._tenants.total(),
            self._of_a_tenant - self._tenants[line.tenant_id],
            min(at_most, self._of_an_endpoint) - self._lines[line],
        )
        places = max(0, places)
        self._tenants[line.tenant_id] += places
        self._lines[line] += places
        return places

    def give_back(self, line: Line, places: int = 1) -> None:
        """Gives places back.

        Args:
            line: which endpoint had them.
            places: how many.
        """
        self._tenants[line.tenant_id] -= places
        self._lines[line] -= places
        if not self._lines[line]:
            del self._lines[line]
        if not self._tenants[line.tenant_id]:
            del self._tenants[line.tenant_id]
