"""What is kept of an API key, for those who look after keys."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from domain.ids import TenantId
from infra.access.errors import AccessError
from infra.access.principal import Role

State = Literal["active", "expired", "revoked"]

_SELECT = """
    SELECT key_id, prefix, name, role, resource_id,
           CASE WHEN revoked_at IS NOT NULL THEN 'revoked'
                WHEN expires_at <= clock_timestamp() THEN 'expired'
                ELSE 'active' END AS state,
           created_at, expires_at, last_used_at, revoked_at, replaces,
           (SELECT later.key_id FROM booking.api_key AS later
            WHERE later.tenant_id = api_key.tenant_id
              AND later.replaces = api_key.key_id) AS replaced_by
    FROM booking.api_key
    WHERE tenant_id = %(tenant_id)s
      AND (%(handle)s::text IS NULL OR prefix = %(handle)s OR key_id::text = lower(%(handle)s))
    ORDER BY created_at, key_id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRecord:
    """What is known of a key; the key itself nobody knows but its holder.

    Attributes:
        key_id: as events and log lines name it, after `key:`.
        prefix: its first characters; None for a short one, and for one from before they were kept.
        name: what it is for, in the words of whoever made it.
        role: what it allows.
        resource_id: the one resource that it shows; None for all that the role allows.
        state: whether it lets in.
        created_at: when it was made.
        expires_at: when it ceases to let in by itself; None for never.
        last_used_at: when it was last used, to a minute or so; None for never.
        revoked_at: when it was revoked.
        replaces: the key that it was made in place of.
        replaced_by: the key that was made in its place.
    """

    key_id: UUID
    prefix: str | None
    name: str | None
    role: Role
    resource_id: UUID | None
    state: State
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None
    replaces: UUID | None
    replaced_by: UUID | None

    @property
    def handle(self) -> str:
        """How it is named on the command line."""
        return self.prefix or str(self.key_id)


def key_named(conn: psycopg.Connection, tenant_id: TenantId, slug: str, handle: str) -> KeyRecord:
    """Find the key that is meant.

    Args:
        conn: a connection of the owner.
        tenant_id: whose key.
        slug: the tenant's short name, for telling what to do.
        handle: the key's prefix or id.

    Returns:
        It.

    Raises:
        AccessError: there is none, or several keys have that prefix.
    """
    found = select_keys(conn, tenant_id, handle)
    if not found:
        # What was given is not repeated: it may be a whole key, and this line may be kept.
        raise AccessError(
            f"The tenant {slug!r} has no key of that prefix or id. "
            f"See them: booking apikey list --tenant {slug}"
        )
    if len(found) > 1:
        raise AccessError(
            f"{len(found)} keys begin with {handle}. Give the id of the one that is meant, from "
            f"booking apikey list --tenant {slug}"
        )
    return found[0]


def select_keys(
    conn: psycopg.Connection, tenant_id: TenantId, handle: str | None = None
) -> Sequence[KeyRecord]:
    """Read what is kept of a tenant's keys.

    Args:
        conn: a connection of the owner.
        tenant_id: whose keys.
        handle: the prefix or id of those that are wanted; None for all.

    Returns:
        Them, the oldest first.
    """
    with conn.cursor(row_factory=class_row(KeyRecord)) as cursor:
        cursor.execute(_SELECT, {"tenant_id": tenant_id, "handle": handle})
        return cursor.fetchall()
