"""Who may do what to which rows, all of it. A new table needs a line here, and one in `rows.py`.

own     the rows of the tenant that is spoken for: by a setting of the engine's roles, by the login
        of those who read
named   the row that can be named by a secret, in a setting of `rows.Tenant.names`
all     every tenant's rows
"""

from collections.abc import Mapping
from typing import Literal, get_args

Operation = Literal["select", "insert", "update", "delete"]
Scope = Literal["own", "named", "all"]
Role = Literal["api", "background", "projector", "directory", "auditor", "analyst"]

OPERATIONS: tuple[Operation, ...] = get_args(Operation)
ROLES: tuple[Role, ...] = get_args(Role)
READERS: tuple[Role, ...] = ("auditor", "analyst")

# What says nothing of any tenant, and so needs no row-level security.
WITHOUT_TENANT = {"migration", "function_file"}

# A slug is given by whoever runs the installation, never by a tenant.
KEYS_ACROSS_TENANTS = {"tenant_slug_taken"}

RIGHTS: Mapping[str, Mapping[Role, str]] = {
    "api_key": {"api": "named select"},
    "customer_key": {"api": "own select insert"},
    "event": {"api": "own select insert", "projector": "all select", "auditor": "own select"},
    "function_file": {"api": "all select", "background": "all select"},
    "migration": {"api": "all select", "background": "all select"},
    "reader_login": {"auditor": "own select", "analyst": "own select"},
    "open_hold": {
        "api": "own select insert update delete",
        "projector": "all select insert update delete",
    },
    "receipt": {"api": "own select insert update", "background": "all select delete"},
    "reservation": {
        "api": "own select insert update delete",
        "background": "all select",
        "projector": "all select insert update delete",
        "auditor": "own select",
        "analyst": "own select",
    },
    "resource": {
        "api": "own select insert update",
        "projector": "all select insert update delete",
        "auditor": "own select",
        "analyst": "own select",
    },
    "tenant": {"api": "own select", "auditor": "own select", "analyst": "own select"},
    "tenant_head": {
        "api": "own select update",
        "projector": "all select",
        "auditor": "own select",
    },
    "tenant_limit": {"api": "own select"},
    "usage": {"api": "own select", "background": "all select insert update"},
}


def scopes(table: str, role: Role) -> dict[Operation, Scope]:
    """What a role may do to a table, and to which of its rows; `;` parts several scopes."""
    found: dict[Operation, Scope] = {}
    for part in filter(None, RIGHTS[table].get(role, "").split(";")):
        named, *operations = part.split()
        [scope] = [known for known in get_args(Scope) if known == named]
        found |= {known: scope for known in OPERATIONS if known in operations}
        assert {*operations} <= {*OPERATIONS}, part
    return found
