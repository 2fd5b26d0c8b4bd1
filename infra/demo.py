"""The tenant `demo` of the embedded mode, so that the first booking is one command away."""

from pathlib import Path

import psycopg

from infra.access import (
    AccessError,
    KeyEnded,
    create_api_key,
    create_tenant,
    new_api_key,
    tenant_named,
)
from infra.database import Database
from infra.kept_secrets import kept_secret, renewed_secret
from infra.limits.keeping import begin_without_limits
from infra.settings import Settings

SLUG = "demo"
_KEY_FILE = "demo-api-key"


def demo_api_key(settings: Settings, database: Database) -> str:
    """Make the tenant `demo` and its key, where they are not there yet.

    Args:
        settings: may set the key; else one is made once and kept in the data directory.
        database: the embedded database, migrated.

    Returns:
        The key.

    Raises:
        AccessError: the key that is set is another tenant's, was revoked or has expired.
        SettingsError: the data directory cannot be written.
    """
    with psycopg.connect(database.owner_dsn) as conn:
        try:
            tenant_named(conn, SLUG)
        except AccessError:
            create_tenant(conn, SLUG, "Demo")
        begin_without_limits(conn, tenant_named(conn, SLUG))
        if settings.demo_api_key is not None:
            return _set_key(conn, settings.demo_api_key)
        return _kept_key(conn, settings.data_dir / _KEY_FILE)


def _set_key(conn: psycopg.Connection, key: str) -> str:
    try:
        return create_api_key(conn, SLUG, "admin", key=key)
    except KeyEnded as error:
        raise AccessError(
            "The key that BOOKING_DEMO_API_KEY sets was revoked or has expired. Set another, or "
            "none to have one made."
        ) from error


def _kept_key(conn: psycopg.Connection, file: Path) -> str:
    try:
        return create_api_key(conn, SLUG, "admin", key=kept_secret(file, new_api_key))
    except KeyEnded:
        return create_api_key(conn, SLUG, "admin", key=renewed_secret(file, new_api_key))
