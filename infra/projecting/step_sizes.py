"""How many events of a tenant a step takes: fewer after one that failed, and soon as many again.

A step may be too much for the bounds of its statements. Taken again as it was, it would be too much
for ever. Whatever it failed for, a smaller one costs next to nothing.
"""

from domain.ids import TenantId

STEPS_TO_GROW = 16
"""Back from nothing to the whole size, so that a size that is too much is seldom tried again."""


class StepSizes:
    """The sizes of the steps of those tenants with which one has failed."""

    def __init__(self, most: int) -> None:
        """Begin with the whole size for everybody.

        Args:
            most: events of a step.
        """
        self._most = most
        self._reduced: dict[TenantId, int] = {}

    def of(self, tenant_id: TenantId) -> int:
        """Give the size of a tenant's next step."""
        return self._reduced.get(tenant_id, self._most)

    def failed(self, tenant_id: TenantId) -> None:
        """Halve it."""
        self._reduced[tenant_id] = max(1, self.of(tenant_id) // 2)

    def succeeded(self, tenant_id: TenantId) -> None:
        """Let it grow."""
        size = self.of(tenant_id) + max(1, self._most // STEPS_TO_GROW)
        if size < self._most:
            self._reduced[tenant_id] = size
        else:
            self._reduced.pop(tenant_id, None)
