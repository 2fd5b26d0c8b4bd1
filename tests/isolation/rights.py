"""Who may do what to which rows, all of it. A new table needs a line here, and one in `rows.py`.

own     the rows of the tenant that is spoken for: by a setting of the engine's roles, by the login
        of those who read
named   the row that can be named by a secret, in a setting of `rows.Tenant.names`
all     every tenant's rows

Views, which look with their reader's eyes, are named with their schema.

With columns behind it, an operation is granted for these alone: `update(name)`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

Operation = Literal["select", "insert", "update", "delete"]
Scope = Literal["own", "named", "all"]
Role = Literal["api", "background", "projector", "directory", "auditor", "analyst"]

OPERATIONS: tuple[Operation, ...] = get_args(Operation)
ROLES: tuple[Role, ...] = get_args(Role)
READERS: tuple[Role, ...] = ("auditor", "analyst")

# What is made otherwise than the rest, each with the reason why no tenant sees another by it.
SAYS_NOTHING_OF_ANYBODY: Mapping[str, str] = {
    "migration": "which files this database has had; the one kind without row-level security",
    "function_file": "likewise",
}
BEYOND_TENANTS: Mapping[str, str] = {
    "projection_lag": "how far projections are behind, summed up over all tenants",
    "account": "a user of an issuer, perhaps of several tenants or of none yet; no tenant's to see",
    "webhook_delivery": "whoever sends a webhook names no tenant; no tenant's to see",
    "wrapped_secret": "a secret of the installation, which no tenant may see",
    "told_circuit": "how things outside do; its names are the program's",
    "webhook_figure": "what senders of webhooks do, summed up over all tenants",
}
KEYS_ACROSS_TENANTS: Mapping[str, str] = {
    "tenant_slug_taken": "given by whoever runs the installation or the directory, by no tenant",
    "organisation_one_tenant": "it is what finds the tenant; only the directory writes there",
}
REFERENCES_ACROSS_TENANTS: Mapping[str, str] = {
    "person_of_account on person": "an account is no tenant's; only the directory writes either",
}
EXCEPTIONS: Mapping[str, Mapping[str, str]] = {
    "open": SAYS_NOTHING_OF_ANYBODY,
    "beyond": BEYOND_TENANTS,
    "keys": KEYS_ACROSS_TENANTS,
    "references": REFERENCES_ACROSS_TENANTS,
}
WITHOUT_TENANT = {*SAYS_NOTHING_OF_ANYBODY, *BEYOND_TENANTS}

_BOOKINGS = (
    "tenant_id,generation,booking_id,status,resource_ids,start_time,end_time,reach,hold_expires_at,"
    "title,reference,attributes,version,position,created_at,updated_at"
)
_ENDPOINT_FIELDS = (
    "url,topics,description,enabled,disabled_reason,disabled_at,failing_since,updated_at"
)
_CHECKPOINTS = "tenant_id,projection,generation,seq,is_live,parked_at"
VIEWS: Mapping[str, Mapping[Role, str]] = {
    "analytics.audit_trail": {"auditor": "own select"},
    **{
        f"analytics.{name}": {"api": "own select", "auditor": "own select", "analyst": "own select"}
        for name in (
            *("booking_resources", "bookings", "freshness", "refusal_days", "refusals"),
            *("reservation_history", "reservations", "resources", "tenants", "utilisation"),
        )
    },
}
RIGHTS: Mapping[str, Mapping[Role, str]] = {
    **VIEWS,
    "account": {"directory": "all select insert update(email,name,told_at,removed_at)"},
    "api_key": {"api": "named select update(last_used_at)"},
    "audit_trail": {
        "api": "own select",
        "projector": "all select insert update delete",
        "auditor": "own select",
    },
    "audit_trail_resource": {
        "api": "own select",
        "projector": "all select insert update delete",
        "auditor": "own select",
    },
    "utilisation": {
        "api": "own select",
        "projector": "all select insert update delete",
        "auditor": "own select",
        "analyst": "own select",
    },
    "utilisation_booking": {"projector": "all select insert update delete"},
    "utilisation_resource": {
        "api": "own select",
        "projector": "all select insert update delete",
        "auditor": "own select",
        "analyst": "own select",
    },
    "bookings": {
        "api": "own select",
        "projector": "all select insert update delete",
        "auditor": f"own select({_BOOKINGS})",
        "analyst": f"own select({_BOOKINGS})",
    },
    "bookings_resource": {
        "api": "own select",
        "projector": "all select insert update delete",
        "auditor": "own select",
        "analyst": "own select",
    },
    "customer_key": {
        "api": "own select insert delete",
        "background": "all select(tenant_id,key_id,wrapped_key,master_key_id)",
    },
    "event": {
        "api": "own select insert",
        "background": "all select(tenant_id,seq,hash)",
        "projector": "all select",
        "auditor": "own select",
    },
    "function_file": {"api": "all select", "background": "all select"},
    "log_checkpoint": {
        "api": "own select",
        "background": "all select insert(tenant_id,seq,hash,recorded_at,key_id,signature)",
        "auditor": "own select",
    },
    "migration": {"api": "all select", "background": "all select"},
    "reader_login": {"auditor": "own select", "analyst": "own select"},
    "open_hold": {
        "api": "own select insert update delete",
        "projector": "all select insert update delete",
    },
    "organisation": {
        "directory": "all select insert update(slug,name,told_at,removed_at)",
    },
    "person": {
        "directory": "all select insert update(email,name,role,told_at,removed_at)",
        "auditor": "own select(tenant_id,user_id,issuer,subject,role,since,removed_at)",
    },
    "projection_checkpoint": {
        "api": "own select",
        "projector": "all select insert update delete",
        "auditor": f"own select({_CHECKPOINTS})",
        "analyst": f"own select({_CHECKPOINTS})",
    },
    "projection_lag": {"background": "all select", "projector": "all select insert update"},
    "public_link": {
        "api": "own select insert update(link_id,made_at,made_by,revoked_at,changes,stale_since)",
        "projector": "all select update(changes,stale_since)",
    },
    "public_link_checkpoint": {"api": "own select insert", "projector": "all select update(seq)"},
    "receipt": {"api": "own select insert update", "background": "all select delete"},
    "reservation": {
        "api": "own select insert update delete",
        "background": "all select",
        "projector": "all select insert update delete",
        "auditor": "own select",
        "analyst": "own select",
    },
    "refusal": {
        "api": "own select",
        "background": "all select insert delete",
        "auditor": "own select",
        "analyst": "own select",
    },
    "refusal_day": {
        "api": "own select",
        "background": "all select insert update(refusals)",
        "auditor": "own select",
        "analyst": "own select",
    },
    "reservation_history": {
        "api": "own select",
        "projector": "all select insert update delete",
        "auditor": "own select",
        "analyst": "own select",
    },
    "resource": {
        "api": "own select insert update",
        "background": "all select(tenant_id,resource_id,timezone)",
        "projector": "all select insert update delete",
        "auditor": "own select",
        "analyst": "own select",
    },
    "resource_lifetime": {
        "api": "own select",
        "projector": "all select insert update delete",
        "auditor": "own select",
        "analyst": "own select",
    },
    "tenant": {
        "api": "own select",
        "directory": "all select insert(tenant_id,slug,name) update(name)",
        "auditor": "own select",
        "analyst": "own select",
    },
    "tenant_head": {
        "api": "own select update",
        "background": "all select(tenant_id,seq,hash,recorded_at)",
        "projector": "all select",
        "directory": "all insert(tenant_id)",
        "auditor": "own select",
        "analyst": "own select(tenant_id,seq,recorded_at)",
    },
    "tenant_limit": {"api": "own select"},
    "told_circuit": {
        "background": "all select insert update",
        "projector": "all select insert update delete",
    },
    "usage": {
        "api": "own select",
        "background": "all select insert update(commands,events,queries,seconds,refused)",
    },
    "webhook_attempt": {"api": "own select", "projector": "all select insert delete"},
    "webhook_endpoint": {
        "api": f"own select insert delete update({_ENDPOINT_FIELDS})",
        "projector": "all select update(enabled,disabled_reason,disabled_at,failing_since,seq)",
    },
    "webhook_figure": {"background": "all select", "projector": "all select insert update"},
    "webhook_message": {
        "api": "own select insert update(state,failures,next_attempt_at,ended_at)",
        "projector": "all select insert delete"
        " update(state,attempts,failures,next_attempt_at,ended_at)",
    },
    "webhook_notice": {
        "api": "own select insert delete",
        "projector": "all select insert delete",
    },
    "webhook_secret": {
        "api": "own select(tenant_id,endpoint_id,secret_id,created_at,expires_at)"
        " insert update(expires_at) delete",
        "projector": "all select",
    },
    "webhook_delivery": {"directory": "all select insert", "background": "all select delete"},
    "wrapped_secret": {"background": "all select insert"},
}


@dataclass(frozen=True)
class Right:
    """What a role may do to a table with one operation.

    Attributes:
        scope: to which rows.
        columns: to which columns alone; None for all that there are.
    """

    scope: Scope
    columns: frozenset[str] | None


def rights(table: str, role: Role) -> dict[Operation, Right]:
    """What a role may do to a table; `;` parts several scopes."""
    found: dict[Operation, Right] = {}
    for part in filter(None, RIGHTS[table].get(role, "").split(";")):
        named, *granted = part.split()
        [scope] = [known for known in get_args(Scope) if known == named]
        for grant in granted:
            name, _, columns = grant.removesuffix(")").partition("(")
            [operation] = [known for known in OPERATIONS if known == name]
            found[operation] = Right(scope, frozenset(columns.split(",")) if columns else None)
    return found


def scopes(table: str, role: Role) -> dict[Operation, Scope]:
    """Which rows of a table a role reaches with each operation that it may do."""
    return {operation: right.scope for operation, right in rights(table, role).items()}
