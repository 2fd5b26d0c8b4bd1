"""What was refused in this process and is not kept yet: bounded, and never waited for."""

import time
from collections import Counter, deque
from collections.abc import Callable

import structlog

from domain.ids import TenantId
from infra.refusals.refusal import RefusedCommand
from infra.telemetry.refrain import Refrain

log = structlog.get_logger(__name__)

MOST_NOTED = 10_000
"""Refusals that wait together; some 10 MB."""

MOST_OF_A_TENANT = 2_500
"""Of these, one tenant's: it cannot crowd out the others. So many are noted at once."""

STEADY = 100
"""How many of a tenant are noted each second, once that is used up: a client in a loop neither
pushes out of the table what else was refused, nor costs more than who is accepted."""


class RefusalNotes:
    """The refusals on their way to the database."""

    def __init__(
        self,
        lost: Callable[[int], None],
        *,
        most: int = MOST_NOTED,
        most_of_a_tenant: int = MOST_OF_A_TENANT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nothing is noted.

        Args:
            lost: is told how many were dropped.
            most: that wait together.
            most_of_a_tenant: that wait of one tenant, and that it may have noted at once.
            clock: seconds that never go back.
        """
        self._lost = lost
        self._most = most
        self._most_of_a_tenant = most_of_a_tenant
        self._waiting: deque[RefusedCommand] = deque()
        self._of_tenant: Counter[TenantId] = Counter()
        self._clock = clock
        self._full_at: dict[TenantId, float] = {}  # when it may have as many noted as at first
        self._full = Refrain(lambda times: log.warning("refusals.dropped", refusals=times))

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def note(self, tenant_id: TenantId, refused: Callable[[], RefusedCommand]) -> None:
        """Take a note; where there is no room, it is counted and dropped.

        Args:
            tenant_id: to whom.
            refused: gives what was refused; asked only if there is room.
        """
        if not self._has_room(tenant_id):
            self._lost(1)
            self._full.due()
            return
        self._waiting.append(refused())
        self._of_tenant[tenant_id] += 1

    def _has_room(self, tenant_id: TenantId) -> bool:
        if len(self._waiting) >= self._most or self._of_tenant[tenant_id] >= self._most_of_a_tenant:
            return False
        now = self._clock()
        full_in = max(0.0, self._full_at.get(tenant_id, now) - now) + 1 / STEADY
        if full_in > self._most_of_a_tenant / STEADY:
            return False
        self._full_at[tenant_id] = now + full_in
        return True

    def first(self, number: int) -> list[RefusedCommand]:
        """Look at the oldest; they stay until they are `done`.

        Args:
            number: how many at most.
        """
        return [self._waiting[place] for place in range(min(number, len(self._waiting)))]

    def done(self, number: int) -> None:
        """Strike the oldest out.

        Args:
            number: how many.
        """
        now = self._clock()
        self._full_at = {whose: at for whose, at in self._full_at.items() if at > now}
        for _ in range(number):
            tenant_id = self._waiting.popleft().tenant_id
            self._of_tenant[tenant_id] -= 1
            if not self._of_tenant[tenant_id]:
                del self._of_tenant[tenant_id]

    def drop(self, number: int) -> None:
        """Give the oldest up, which is counted.

        Args:
            number: how many.
        """
        self.done(number)
        self._lost(number)
