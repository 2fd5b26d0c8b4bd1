"""Tenants, as an owner makes them."""

import psycopg
import pytest

from infra.access import AccessError, create_tenant
from infra.database import Database


def test_a_slug_is_taken_once(database: Database) -> None:
    with psycopg.connect(database.owner_dsn) as conn:
        create_tenant(conn, "babelsberg", "Studio Babelsberg")
        with pytest.raises(AccessError, match="already"):
            create_tenant(conn, "babelsberg", "Another")
        assert conn.execute("SELECT count(*) FROM booking.tenant_head").fetchone() == (1,)


@pytest.mark.parametrize("slug", ["", "Demo", "-demo", "a b", "a" * 64, "demo\n", "démo"])
def test_a_malformed_slug_is_refused(database: Database, slug: str) -> None:
    with (
        psycopg.connect(database.owner_dsn) as conn,
        pytest.raises(AccessError, match="lower-case letters"),
    ):
        create_tenant(conn, slug, "Studio")
