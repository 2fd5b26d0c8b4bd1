"""What was refused in this process and is not kept yet: bounded, and never waited for."""

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
"""Of these, one tenant's: it cannot crowd out the others."""


class RefusalNotes:
    """The refusals on their way to the database."""

    def __init__(
        self,
        lost: Callable[[int], None],
        *,
        most: int = MOST_NOTED,
        most_of_a_tenant: int = MOST_OF_A_TENANT,
    ) -> None:
        """Nothing is noted.

        Args:
            lost: is told how many were dropped.
            most: that wait together.
            most_of_a_tenant: that wait of one tenant.
        """
        self._lost = lost
        self._most = most
        self._most_of_a_tenant = most_of_a_tenant
        self._waiting: deque[RefusedCommand] = deque()
        self._of_tenant: Counter[TenantId] = Counter()
        self._full = Refrain(lambda times: log.warning("refusals.dropped", refusals=times))

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def note(self, refused: RefusedCommand) -> None:
        """Take a note; where there is no room, it is counted and dropped.

        Args:
            refused: what was refused.
        """
        if (
            len(self._waiting) >= self._most
            or self._of_tenant[refused.tenant_id] >= self._most_of_a_tenant
        ):
            self._lost(1)
            self._full.due()
            return
        self._waiting.append(refused)
        self._of_tenant[refused.tenant_id] += 1

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
