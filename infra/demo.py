"""The tenant `demo` of the embedded mode, so that the first booking is one command away."""

import psycopg

from infra.access import (
    AccessError,
    create_api_key,
    create_tenant,
    new_api_key,
    tenant_named,
)
from infra.database import Database
from infra.kept_secrets import kept_secret
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
        AccessError: the key that is set is another tenant's.
        SettingsError: the data directory cannot be written.
    """
    key = settings.demo_api_key or kept_secret(settings.data_dir / _KEY_FILE, new_api_key)
    with psycopg.connect(database.owner_dsn) as conn:
        try:
            tenant_named(conn, SLUG)
        except AccessError:
            create_tenant(conn, SLUG, "Demo")
        begin_without_limits(conn, tenant_named(conn, SLUG))
        return create_api_key(conn, SLUG, "admin", key=key)
