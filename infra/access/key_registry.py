"""API keys, as the owner of the tables makes, lists, revokes and replaces them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import psycopg

from domain.ids import ResourceId, TenantId
from infra.access.errors import AccessError
from infra.access.key_form import digest_of, new_api_key, shown_prefix
from infra.access.key_record import KeyRecord, key_named, select_keys
from infra.access.principal import Role
from infra.access.tenants import tenant_named
from infra.identity import new_id

LONGEST_NAME = 100

_INSERT = """
    INSERT INTO booking.api_key
           (tenant_id, key_id, secret_hash, prefix, name, role, resource_id, expires_at, replaces)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
"""
_REVOKE = """
    UPDATE booking.api_key SET revoked_at = clock_timestamp()
    WHERE tenant_id = %s AND key_id = %s AND revoked_at IS NULL
"""
_LOCK = "SELECT FROM booking.api_key WHERE tenant_id = %s AND key_id = %s FOR UPDATE"
_RESOURCE = "SELECT FROM booking.resource WHERE tenant_id = %s AND resource_id = %s"
# A key that was to expire sooner does.
_EXPIRE = """
    UPDATE booking.api_key SET expires_at = least(expires_at, clock_timestamp() + %s)
    WHERE tenant_id = %s AND key_id = %s
"""
# The new key lives as long as the old one was made to.
_AS_LONG = """
    SELECT clock_timestamp() + (expires_at - created_at)
    FROM booking.api_key WHERE tenant_id = %s AND key_id = %s
"""


class KeyEnded(AccessError):
    """A key that is to let in was revoked, or has expired."""


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A key that was just made.

    Attributes:
        secret: the key, which nobody can find out again.
        record: what is kept of it.
    """

    secret: str
    record: KeyRecord


def create_api_key(
    conn: psycopg.Connection, slug: str, role: Role, *, key: str | None = None
) -> str:
    """See to it that a key lets a tenant in.

    Args:
        conn: a connection of the owner.
        slug: the tenant's short name.
        role: what the key allows.
        key: the key itself, if it is to be a certain one; otherwise a new secret.

    Returns:
        The key, which nobody can find out again.

    Raises:
        AccessError: there is no such tenant, or the key is another tenant's or role's.
        KeyEnded: it is the key that was asked for, but it was revoked or has expired.
    """
    secret = new_api_key() if key is None else key
    with conn.transaction():
        tenant_id = tenant_named(conn, slug)
        if key is None or not _lets_in(conn, tenant_id, role, key):
            _insert(conn, tenant_id, secret, role)
    return secret


def issue_api_key(
    conn: psycopg.Connection,
    slug: str,
    role: Role,
    *,
    name: str | None = None,
    resource_id: ResourceId | None = None,
    expires_at: datetime | None = None,
) -> IssuedKey:
    """Make a new key of a tenant.

    Args:
        conn: a connection of the owner.
        slug: the tenant's short name.
        role: what the key allows.
        name: what it is for; 1 to 100 characters.
        resource_id: the one resource that it shows, with the role `feed`; None for all.
        expires_at: when it ceases to let in; None for never.

    Returns:
        It.

    Raises:
        AccessError: there is no such tenant or resource, the name is malformed, or the role is not
            kept to one resource.
    """
    if resource_id is not None and role != "feed":
        raise AccessError(
            f"Only a key of the role feed is kept to one resource. Leave --resource out, or make "
            f"one with --role feed instead of {role}."
        )
    if name is not None and not (1 <= len(name) <= LONGEST_NAME and name.isprintable()):
        raise AccessError(
            f"A key's name has 1 to {LONGEST_NAME} printable characters. Give one with --name."
        )
    with conn.transaction():
        tenant_id = tenant_named(conn, slug)
        if resource_id is not None:
            _check_resource(conn, tenant_id, slug, resource_id)
        return _issue(
            conn, tenant_id, role, name=name, resource_id=resource_id, expires_at=expires_at
        )


def list_api_keys(conn: psycopg.Connection, slug: str) -> Sequence[KeyRecord]:
    """Tell the keys of a tenant.

    Args:
        conn: a connection of the owner.
        slug: the tenant's short name.

    Returns:
        All that were ever made, the oldest first.

    Raises:
        AccessError: there is no such tenant.
    """
    return select_keys(conn, tenant_named(conn, slug))


def revoke_api_key(conn: psycopg.Connection, slug: str, handle: str) -> KeyRecord:
    """Let a key in no more; one that was revoked before stays so.

    Args:
        conn: a connection of the owner.
        slug: the tenant's short name.
        handle: the key's prefix or id.

    Returns:
        The key as it is now.

    Raises:
        AccessError: there is no such tenant or key, or several keys have that prefix.
    """
    with conn.transaction():
        tenant_id = tenant_named(conn, slug)
        key = key_named(conn, tenant_id, slug, handle)
        conn.execute(_REVOKE, [tenant_id, key.key_id])
        return key_named(conn, tenant_id, slug, str(key.key_id))


def rotate_api_key(
    conn: psycopg.Connection, slug: str, handle: str, overlap: timedelta
) -> tuple[IssuedKey, KeyRecord]:
    """Make a key in place of another, which goes on letting in for a while.

    Args:
        conn: a connection of the owner.
        slug: the tenant's short name.
        handle: the old key's prefix or id.
        overlap: how long the old one still lets in, unless it expires before.

    Returns:
        The new key, with the old one's role, name and length of life; and the old one as it is now.

    Raises:
        AccessError: there is no such tenant or key, several keys have that prefix, or the key lets
            in no more or was replaced already.
    """
    with conn.transaction():
        tenant_id = tenant_named(conn, slug)
        key_id = key_named(conn, tenant_id, slug, handle).key_id
        conn.execute(_LOCK, [tenant_id, key_id])  # two rotations at once: the second is told
        old = key_named(conn, tenant_id, slug, str(key_id))
        if old.state != "active":
            raise AccessError(
                f"The key {old.handle} is {old.state}, so there is nothing to overlap with. "
                f"Make another: booking apikey create --tenant {slug} --role {old.role}"
            )
        if old.replaced_by is not None:
            raise AccessError(
                f"The key {old.handle} was replaced already, by {old.replaced_by}. "
                f"Rotate that one: booking apikey rotate {old.replaced_by} --tenant {slug}"
            )
        [(expires_at,)] = conn.execute(_AS_LONG, [tenant_id, old.key_id])
        issued = _issue(
            conn,
            tenant_id,
            old.role,
            name=old.name,
            resource_id=old.resource_id,
            expires_at=expires_at,
            replaces=old.key_id,
        )
        conn.execute(_EXPIRE, [overlap, tenant_id, old.key_id])
        return issued, key_named(conn, tenant_id, slug, str(old.key_id))


def _check_resource(
    conn: psycopg.Connection, tenant_id: TenantId, slug: str, resource_id: ResourceId
) -> None:
    if conn.execute(_RESOURCE, [tenant_id, resource_id]).fetchone() is None:
        raise AccessError(
            f"The tenant {slug!r} has no resource {resource_id}. `GET /v1/resources` lists them."
        )


def _lets_in(conn: psycopg.Connection, tenant_id: TenantId, role: Role, key: str) -> bool:
    """Tell whether a chosen key lets in already, and refuse what it must not become."""
    digest = digest_of(key)
    # Two processes that start with one key make one row of it: revoking that is enough.
    conn.execute("SELECT pg_advisory_xact_lock(%s)", [int.from_bytes(digest[:8], signed=True)])
    holders = conn.execute(
        """
        SELECT tenant_id, role,
               revoked_at IS NOT NULL OR coalesce(expires_at <= clock_timestamp(), false)
        FROM booking.api_key WHERE secret_hash = %s
        """,
        [digest],
    ).fetchall()
    let_in = [(holder, allowed) for holder, allowed, ended in holders if not ended]
    if any(held != (tenant_id, role) for held in let_in):
        raise AccessError("This key is in use already, for another tenant or role. Take another.")
    if holders and not let_in:  # what was given up stays so: somebody may have found it
        raise KeyEnded("This key was revoked or has expired. Take another.")
    return bool(let_in)


def _issue(
    conn: psycopg.Connection,
    tenant_id: TenantId,
    role: Role,
    *,
    name: str | None,
    resource_id: UUID | None,
    expires_at: datetime | None,
    replaces: UUID | None = None,
) -> IssuedKey:
    secret = new_api_key()
    key_id = _insert(
        conn,
        tenant_id,
        secret,
        role,
        name=name,
        resource_id=resource_id,
        expires_at=expires_at,
        replaces=replaces,
    )
    [record] = select_keys(conn, tenant_id, str(key_id))
    return IssuedKey(secret, record)


def _insert(
    conn: psycopg.Connection,
    tenant_id: TenantId,
    secret: str,
    role: Role,
    *,
    name: str | None = None,
    resource_id: UUID | None = None,
    expires_at: datetime | None = None,
    replaces: UUID | None = None,
) -> UUID:
    key_id = new_id()
    conn.execute(
        _INSERT,
        [
            tenant_id,
            key_id,
            digest_of(secret),
            shown_prefix(secret),
            name,
            role,
            resource_id,
            expires_at,
            replaces,
        ],
    )
    return key_id
