"""Whom a request speaks for, however it has shown that."""

from dataclasses import dataclass
from typing import Literal, get_args

from domain.ids import ResourceId, TenantId

Role = Literal["admin", "booker", "viewer", "auditor", "feed"]
ROLES: tuple[Role, ...] = get_args(Role)
ROLES_OF_PEOPLE: tuple[Role, ...] = tuple(role for role in ROLES if role != "feed")
"""Those that an issuer of tokens may give; the address of a calendar feed is no person."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Whom a request speaks for.

    Attributes:
        tenant_id: the tenant.
        role: what may be done.
        actor: `key:<uuid>` or `user:<uuid>`, as events, log lines and limits name who asks.
        impersonator: who acts in the user's place, as the issuer of the token names them.
        resource_id: the one resource that may be seen, with the role `feed`; None for all.
    """

    tenant_id: TenantId
    role: Role
    actor: str
    impersonator: str | None = None
    resource_id: ResourceId | None = None
