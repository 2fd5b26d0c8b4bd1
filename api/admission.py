"""How many requests a process works on at once; one more is refused at once, not answered late.

Requests share one processor: more of them side by side make each slower, and none sooner done. The
bound keeps the time to an answer short under any load, and a refusal costs a fraction of an answer.
A client that has yet to send its body is not worked for and does not count.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from domain.ids import TenantId
from infra.errors import Overloaded
from infra.telemetry.refrain import Refrain

log = structlog.get_logger("api")


class TurnedAway(Overloaded):
    """There is no room for the request; nothing was done. The log tells of it with others."""


def most_of_one(total: int) -> int:
    """Tells how much of what all tenants share one of them may take: three quarters.

    Args:
        total: places, or bytes.
    """
    return total - total // 4


class Admission:
    """The places for requests under way.

    Attributes:
        under_way: how many are taken.
        refusals: tells the log that a request was turned away, here or further inside.
    """

    def __init__(self, places: int) -> None:
        """All places are free.

        Args:
            places: how many there are; one tenant may take three quarters of them.
        """
        self._places = places
        self._most_of_one = most_of_one(places)
        self._taken: Counter[TenantId] = Counter()
        self.under_way = 0
        self.refusals = Refrain(
            lambda refused: log.warning(
                "api.overloaded", refused=refused, under_way=self.under_way, places=places
            )
        )

    def look(self, tenant_id: TenantId | None = None) -> None:
        """Sees whether there would be a place.

        Args:
            tenant_id: for whose request; None while nobody knows.

        Raises:
            TurnedAway: there is none.
        """
        if self.under_way >= self._places or (
            tenant_id is not None and self._taken[tenant_id] >= self._most_of_one
        ):
            raise TurnedAway

    @contextmanager
    def place(self, tenant_id: TenantId) -> Iterator[None]:
        """Has a place.

        Args:
            tenant_id: whose request it is.

        Raises:
            TurnedAway: there is none.
        """
        self.look(tenant_id)
        self.under_way += 1
        self._taken[tenant_id] += 1
        try:
            yield
        finally:
            self.under_way -= 1
            self._taken[tenant_id] -= 1
            if not self._taken[tenant_id]:
                del self._taken[tenant_id]
