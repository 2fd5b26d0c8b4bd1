"""API keys, as the owner of the tables makes them.

Only a key's SHA-256 is stored. A key is 256 random bits, so one round of hashing is enough: there
is nothing to guess that stretching would slow down.
"""

import hashlib
import secrets

import psycopg

from infra.access.errors import AccessError
from infra.access.principal import Role
from infra.access.tenants import tenant_named
from infra.identity import new_id


def create_api_key(
    conn: psycopg.Connection, slug: str, role: Role, *, key: str | None = None
) -> str:
    """Make an API key of a tenant.

    Args:
        conn: a connection of the owner.
        slug: the tenant's short name.
        role: what the key allows.
        key: the key itself, if it is to be a certain one; otherwise a new secret.

    Returns:
        The key, which nobody can find out again.

    Raises:
        AccessError: there is no such tenant, or the key is another tenant's.
    """
    key = new_api_key() if key is None else key
    digest = hashlib.sha256(key.encode()).digest()
    with conn.transaction():
        tenant_id = tenant_named(conn, slug)
        holder = conn.execute(
            "SELECT tenant_id, role FROM booking.api_key"
            " WHERE secret_hash = %s AND revoked_at IS NULL",
            [digest],
        ).fetchone()
        if holder is not None and holder != (tenant_id, role):
            raise AccessError(
                "This key is in use already, for another tenant or role. Take another."
            )
        if holder is None:
            conn.execute(
                "INSERT INTO booking.api_key (tenant_id, key_id, secret_hash, role)"
                " VALUES (%s, %s, %s, %s)",
                [tenant_id, new_id(), digest, role],
            )
    return key


def new_api_key() -> str:
    """Invent an API key.

    Returns:
        `bk_` and 43 characters that need no escaping in a header or address: 256 random bits.
    """
    return f"bk_{secrets.token_urlsafe(32)}"
