"""The roles of the first migration: what they may, and how they come about on a shared server."""

import psycopg

from infra.database import Database


def test_the_runtime_role_may_nothing_before_it_becomes_another(database: Database) -> None:
    with psycopg.connect(database.runtime_dsn) as conn:
        assert conn.execute("select has_schema_privilege('booking', 'usage')").fetchone() == (
            False,
        )
