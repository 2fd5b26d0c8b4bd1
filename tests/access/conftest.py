"""A tenant with a key."""

import psycopg
import pytest

from infra.access import create_api_key, create_tenant
from infra.database import Database


@pytest.fixture
def key(database: Database) -> str:
    with psycopg.connect(database.owner_dsn) as conn:
        create_tenant(conn, "babelsberg", "Studio Babelsberg")
        return create_api_key(conn, "babelsberg", "admin")
