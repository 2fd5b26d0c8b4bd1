"""How many requests a process works on at once; one more is refused at once, not answered late.

Requests share one processor: more of them side by side make each slower, and none sooner done. The
bound keeps the time to an answer short under any load, and a refusal costs a fraction of an answer.
A client that has yet to send its body is not worked for and does not count.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

from domain.ids import TenantId
from infra.errors import Overloaded

log = structlog.get_logger("api")

SILENCE_SECONDS = 1.0
"""Between two lines about refusals: a line for each would be most of what they cost."""


class Admission:
    """The places for requests under way."""

    def __init__(self, places: int, clock: Callable[[], float]) -> None:
        """All places are free.

        Args:
            places: how many there are; one tenant may take three quarters of them.
            clock: a monotonic clock, in seconds.
        """
        self._places = places
        self._most_of_one = places - places // 4
        self._taken: Counter[TenantId] = Counter()
        self._under_way = 0
        self._clock = clock
        self._refused = 0
        self._silent_until = 0.0

    def has_room(self, tenant_id: TenantId | None = None) -> bool:
        """Tells whether a request may go on; if not, the log tells it with others.

        Args:
            tenant_id: whose; None while nobody knows.
        """
        if self._under_way < self._places and (
            tenant_id is None or self._taken[tenant_id] < self._most_of_one
        ):
            return True
        self._tell()
        return False

    @contextmanager
    def place(self, tenant_id: TenantId) -> Iterator[None]:
        """Has a place.

        Args:
            tenant_id: whose request it is.

        Raises:
            Overloaded: there is none; nothing was done.
        """
        if not self.has_room(tenant_id):
            raise Overloaded
        self._under_way += 1
        self._taken[tenant_id] += 1
        try:
            yield
        finally:
            self._under_way -= 1
            self._taken[tenant_id] -= 1
            if not self._taken[tenant_id]:
                del self._taken[tenant_id]

    def _tell(self) -> None:
        self._refused += 1
        if self._clock() >= self._silent_until:
            log.warning("api.overloaded", under_way=self._under_way, refused=self._refused)
            self._silent_until = self._clock() + SILENCE_SECONDS
            self._refused = 0
