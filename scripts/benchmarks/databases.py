"""The two databases of the write benchmark: who may book in them, and what was booked."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import LiteralString

import psycopg
from psycopg import sql

from infra.access import create_api_key, create_tenant
from infra.postgres.embedded import DATABASE, OWNER, RUNTIME, SUPERUSER, EmbeddedPostgres
from infra.postgres.migrator import migrate
from scripts.benchmarks.failure import BenchFailed
from scripts.benchmarks.requests import Place

PLAIN = "plain_crud"

_PLAIN_TABLES = Path(__file__).with_name("plain_crud.sql")
_COUNT = """
    SELECT (SELECT count(*) FROM booking.event WHERE topic = 'booking.booked') AS events,
           (SELECT count(*) FROM booking.reservation) AS reservations,
           (SELECT sum(seq) FROM booking.tenant_head)
               - (SELECT count(*) FROM booking.resource) AS positions
"""
_COUNT_PLAIN = """
    SELECT (SELECT count(*) FROM plain.booking) AS bookings,
           (SELECT count(*) FROM plain.reservation) AS reservations,
           (SELECT count(*) FROM plain.audit) AS audits
"""
_PLACES = """
    SELECT resource_id, slug
    FROM booking.resource JOIN booking.tenant USING (tenant_id)
    ORDER BY resource.name
"""


def make_plain_database(postgres: EmbeddedPostgres) -> str:
    """Makes the database of plain CRUD: the product's, for its API keys, and the plain tables.

    Args:
        postgres: the server, where the product's own database is migrated already.

    Returns:
        The connection string of the runtime.
    """
    with psycopg.connect(postgres.dsn(SUPERUSER, database="postgres"), autocommit=True) as conn:
        make = sql.SQL("CREATE DATABASE {} OWNER {}")
        conn.execute(make.format(sql.Identifier(PLAIN), sql.Identifier(OWNER)))
    owner_dsn = postgres.dsn(OWNER, database=PLAIN)
    migrate(owner_dsn)
    with psycopg.connect(owner_dsn) as conn:
        conn.execute(_PLAIN_TABLES.read_bytes())
    return postgres.dsn(RUNTIME, database=PLAIN)


def admit(postgres: EmbeddedPostgres, api_keys: Mapping[str, str]) -> None:
    """Makes tenants with the same keys in both databases.

    Args:
        postgres: the server with both.
        api_keys: the key of each tenant, by its slug.
    """
    for database in (DATABASE, PLAIN):
        with psycopg.connect(postgres.dsn(OWNER, database=database)) as conn:
            for slug, key in api_keys.items():
                create_tenant(conn, slug, slug)
                create_api_key(conn, slug, "admin", key=key)


def places(postgres: EmbeddedPostgres, api_keys: Mapping[str, str]) -> Sequence[Place]:
    """Finds the resources that were registered, in the order of their names.

    Args:
        postgres: the server.
        api_keys: the key of each tenant, by its slug.
    """
    with psycopg.connect(postgres.dsn(OWNER)) as conn:
        return [Place(found, api_keys[slug]) for found, slug in conn.execute(_PLACES)]


def check_booked(postgres: EmbeddedPostgres, expected: int) -> None:
    """Sees that the product's database holds every booking that was answered, and no other.

    Args:
        postgres: the server.
        expected: how many were answered.

    Raises:
        BenchFailed: it holds others.
    """
    _check(postgres.dsn(OWNER), _COUNT, expected)


def check_plainly_booked(postgres: EmbeddedPostgres, expected: int) -> None:
    """Sees the same of plain CRUD's database.

    Args:
        postgres: the server.
        expected: how many were answered.

    Raises:
        BenchFailed: it holds others.
    """
    _check(postgres.dsn(OWNER, database=PLAIN), _COUNT_PLAIN, expected)


def server_version(postgres: EmbeddedPostgres) -> str:
    """Gives the version of PostgreSQL, and how it treats a commit.

    Args:
        postgres: the server.
    """
    asked = "SELECT current_setting('server_version'), current_setting('fsync')"
    with psycopg.connect(postgres.dsn(OWNER)) as conn:
        [(version, fsync)] = conn.execute(asked).fetchall()
    return f"PostgreSQL {version} (fsync {fsync})"


def _check(dsn: str, count: LiteralString, expected: int) -> None:
    with psycopg.connect(dsn) as conn:
        cursor = conn.execute(count)
        [found] = cursor.fetchall()
        names = [column.name for column in cursor.description or ()]
    if any(number != expected for number in found):
        counted = ", ".join(f"{number} {name}" for name, number in zip(names, found, strict=True))
        raise BenchFailed(f"{expected} bookings were answered, but the database has {counted}")
