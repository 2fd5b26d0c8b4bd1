"""How many requests a process works on at once; one more is refused at once, not answered late.

Requests share one processor: more of them side by side make each slower, and none sooner done. The
bound keeps the time to an answer short under any load, and a refusal costs a fraction of an answer.
A client that has yet to send its body is not worked for and does not count.
"""

from collections import Counter

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

    def place(self, tenant_id: TenantId) -> "_Place":
        """Has a place, for as long as the context lasts.

        Args:
            tenant_id: whose request it is.

        Raises:
            TurnedAway: there is none.
        """
        return _Place(self, tenant_id)

    def take(self, tenant_id: TenantId) -> None:
        """Takes a place, which `give_back` has to follow; `place` sees to both.

        Args:
            tenant_id: whose request it is.

        Raises:
            TurnedAway: there is none.
        """
        taken = self._taken[tenant_id]
        if self.under_way >= self._places or taken >= self._most_of_one:
            raise TurnedAway
        self.under_way += 1
        self._taken[tenant_id] = taken + 1

    def give_back(self, tenant_id: TenantId) -> None:
        """Gives a place back.

        Args:
            tenant_id: whose request it was.
        """
        self.under_way -= 1
        left = self._taken.pop(tenant_id) - 1
        if left:
            self._taken[tenant_id] = left


class _Place:
    """One place; a class, since a generator would take three times as long for each request."""

    __slots__ = ("_admission", "_tenant_id")

    def __init__(self, admission: Admission, tenant_id: TenantId) -> None:
        self._admission = admission
        self._tenant_id = tenant_id

    def __enter__(self) -> None:
        self._admission.take(self._tenant_id)

    def __exit__(self, *_: object) -> None:
        self._admission.give_back(self._tenant_id)
