"""Whom a request speaks for, however it has shown that."""

from dataclasses import dataclass
from typing import Literal, get_args

from domain.ids import TenantId

Role = Literal["admin", "booker", "viewer", "auditor"]
ROLES: tuple[Role, ...] = get_args(Role)


@dataclass(frozen=True, slots=True)
class Principal:
    """Whom a request speaks for.

    Attributes:
        tenant_id: the tenant.
        role: what may be done.
        actor: `key:<uuid>` or `user:<uuid>`, as events, log lines and limits name who asks.
        impersonator: who acts in the user's place, as the issuer of the token names them.
    """

    tenant_id: TenantId
    role: Role
    actor: str
    impersonator: str | None = None
