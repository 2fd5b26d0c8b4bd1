"""The operator's token: it opens `/metrics`, and shows there what no tenant's key does."""

import hashlib
import hmac
from uuid import UUID

from domain.ids import TenantId
from infra.access import Principal

OPERATOR = Principal(tenant_id=TenantId(UUID(int=0)), role="auditor", actor="operator")
"""Whom the token speaks for: no tenant."""


class OperatorToken:
    """Knows the token by its digest."""

    def __init__(self, token: str | None) -> None:
        """Keep it.

        Args:
            token: as BOOKING_METRICS_TOKEN has it; None where nobody has one.
        """
        self._digest = None if token is None else hashlib.sha256(token.encode()).digest()

    def is_shown(self, credentials: str) -> bool:
        """Tell whether somebody shows the token; it takes as long whatever is shown.

        Args:
            credentials: as the client sent them.
        """
        shown = hashlib.sha256(credentials.encode("utf-8", "backslashreplace")).digest()
        return self._digest is not None and hmac.compare_digest(shown, self._digest)
