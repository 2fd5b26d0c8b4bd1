"""An endpoint of a tenant, as those who send call it: its messages wait in a line."""

from dataclasses import dataclass
from uuid import UUID

from domain.ids import TenantId


@dataclass(frozen=True, slots=True)
class Line:
    """Names an endpoint."""

    tenant_id: TenantId
    endpoint_id: UUID

    @property
    def parameters(self) -> dict[str, object]:
        """What statements about it are run with."""
        return {"tenant_id": self.tenant_id, "endpoint_id": self.endpoint_id}
