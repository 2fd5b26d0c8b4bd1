"""Who may come in: tenants, the roles that a caller may have, and how callers show who they are."""

from infra.access.api_keys import ApiKeys
from infra.access.authenticator import Authenticator, NotAdmitted
from infra.access.bearer import BearerAuthenticator
from infra.access.errors import AccessError
from infra.access.key_form import new_api_key
from infra.access.key_record import KeyRecord
from infra.access.key_registry import (
    IssuedKey,
    KeyEnded,
    create_api_key,
    issue_api_key,
    list_api_keys,
    revoke_api_key,
    rotate_api_key,
)
from infra.access.principal import ROLES, Principal, Role
from infra.access.tenants import create_tenant, tenant_named

__all__ = [
    "ROLES",
    "AccessError",
    "ApiKeys",
    "Authenticator",
    "BearerAuthenticator",
    "IssuedKey",
    "KeyEnded",
    "KeyRecord",
    "NotAdmitted",
    "Principal",
    "Role",
    "create_api_key",
    "create_tenant",
    "issue_api_key",
    "list_api_keys",
    "new_api_key",
    "revoke_api_key",
    "rotate_api_key",
    "tenant_named",
]
