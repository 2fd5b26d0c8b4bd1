"""Who may come in: tenants, the roles that a caller may have, and how callers show who they are."""

from infra.access.api_keys import ApiKeys
from infra.access.authenticator import Authenticator, NotAdmitted
from infra.access.errors import AccessError
from infra.access.key_registry import create_api_key, new_api_key
from infra.access.principal import ROLES, Principal, Role
from infra.access.tenants import create_tenant, tenant_named

__all__ = [
    "ROLES",
    "AccessError",
    "ApiKeys",
    "Authenticator",
    "NotAdmitted",
    "Principal",
    "Role",
    "create_api_key",
    "create_tenant",
    "new_api_key",
    "tenant_named",
]
