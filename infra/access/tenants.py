"""Tenants, as the owner of the tables makes and finds them."""

import re

import psycopg

from domain.ids import TenantId
from infra.access.errors import AccessError
from infra.identity import new_id

_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


def create_tenant(conn: psycopg.Connection, slug: str, name: str) -> TenantId:
    """Make a tenant with an empty log.

    Args:
        conn: a connection of the owner.
        slug: its short name: lower-case letters, digits and hyphens, at most 63.
        name: its name, 1 to 200 characters.

    Returns:
        The new tenant's id.

    Raises:
        AccessError: the slug is taken or malformed, or the name is.
    """
    if not _SLUG.fullmatch(slug):
        raise AccessError(
            f"{slug!r} cannot be a tenant's slug. Take at most 63 lower-case letters, digits and "
            "hyphens, starting with a letter or digit."
        )
    if not 1 <= len(name) <= 200 or "\x00" in name:  # noqa: PLR2004 - as tenant_name_form has it
        raise AccessError("A tenant's name has 1 to 200 characters. Give one with --name.")
    tenant_id = TenantId(new_id())
    try:
        with conn.transaction():
            conn.execute(
                "INSERT INTO booking.tenant (tenant_id, slug, name) VALUES (%s, %s, %s)",
                [tenant_id, slug, name],
            )
            conn.execute("INSERT INTO booking.tenant_head (tenant_id) VALUES (%s)", [tenant_id])
    except psycopg.errors.UniqueViolation as error:
        raise AccessError(f"There is a tenant {slug!r} already. Take another slug.") from error
    return tenant_id


def tenant_named(conn: psycopg.Connection, slug: str) -> TenantId:
    """Find a tenant.

    Args:
        conn: a connection of the owner.
        slug: its short name.

    Returns:
        Its id.

    Raises:
        AccessError: there is none.
    """
    row = conn.execute("SELECT tenant_id FROM booking.tenant WHERE slug = %s", [slug]).fetchone()
    if row is None:
        raise AccessError(
            f"There is no tenant {slug!r}. Make it: booking tenant create {slug} --name NAME"
        )
    return TenantId(row[0])
