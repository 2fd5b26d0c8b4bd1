"""The databases of the write benchmark: who may book in them, and what was booked."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import LiteralString

import psycopg
from psycopg import sql

from domain.ids import TenantId
from infra.access import create_api_key, create_tenant
from infra.postgres.embedded import DATABASE, MIGRATOR, RUNTIME, SUPERUSER, EmbeddedPostgres
from infra.postgres.migrator import migrate
from scripts.benchmarks.failure import BenchFailed
from scripts.benchmarks.requests import Place

PLAIN, ENGINE, STOCK = "plain_crud", "engine_in_process", "stock_recorder"

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
_COUNT_STOCK = """
    SELECT (SELECT count(*) FROM stored_events) AS events,
           (SELECT count(*) FROM plain.reservation) AS reservations
"""
_COUNTS: Mapping[str, LiteralString] = {
    DATABASE: _COUNT,
    ENGINE: _COUNT,
    PLAIN: _COUNT_PLAIN,
    STOCK: _COUNT_STOCK,
}
_PLACES = """
    SELECT resource_id, slug
    FROM booking.resource JOIN booking.tenant USING (tenant_id)
    ORDER BY resource.name
"""


def make_databases(postgres: EmbeddedPostgres) -> None:
    """Makes the databases beside the product's own, each migrated as that one is.

    Args:
        postgres: the server.
    """
    for name in (PLAIN, ENGINE, STOCK):
        make_database(postgres, name)
    for name in (PLAIN, STOCK):
        with psycopg.connect(postgres.dsn(MIGRATOR, database=name)) as conn:
            conn.execute(_PLAIN_TABLES.read_bytes())


def make_database(postgres: EmbeddedPostgres, name: str) -> None:
    """Makes a migrated database.

    Args:
        postgres: the server.
        name: of the database.
    """
    with psycopg.connect(postgres.dsn(SUPERUSER, database="postgres"), autocommit=True) as conn:
        make = sql.SQL("CREATE DATABASE {} OWNER {}")
        conn.execute(make.format(sql.Identifier(name), sql.Identifier(MIGRATOR)))
    migrate(postgres.dsn(MIGRATOR, database=name))


def runtime_dsn(postgres: EmbeddedPostgres, database: str) -> str:
    """Gives the connection string of the runtime."""
    return postgres.dsn(RUNTIME, database=database)


def owner_dsn(postgres: EmbeddedPostgres, database: str) -> str:
    """Gives the connection string of a database's owner."""
    return postgres.dsn(MIGRATOR, database=database)


def admit(postgres: EmbeddedPostgres, api_keys: Mapping[str, str]) -> list[TenantId]:
    """Makes tenants with the same keys in the databases that have any.

    Args:
        postgres: the server with all of them.
        api_keys: the key of each tenant, by its slug.

    Returns:
        The tenants' ids in the database of the engine in process.
    """
    tenants: list[TenantId] = []
    for database in (DATABASE, PLAIN, ENGINE):
        with psycopg.connect(postgres.dsn(MIGRATOR, database=database)) as conn:
            tenants = [create_tenant(conn, slug, slug) for slug in api_keys]
            for slug, key in api_keys.items():
                create_api_key(conn, slug, "admin", key=key)
    return tenants


def places(postgres: EmbeddedPostgres, api_keys: Mapping[str, str]) -> Sequence[Place]:
    """Finds the resources that were registered, in the order of their names.

    Args:
        postgres: the server.
        api_keys: the key of each tenant, by its slug.
    """
    with psycopg.connect(postgres.dsn(MIGRATOR)) as conn:
        return [Place(found, api_keys[slug]) for found, slug in conn.execute(_PLACES)]


def check_booked(postgres: EmbeddedPostgres, database: str, expected: int) -> None:
    """Sees that a database holds every booking that was answered, and no other.

    Args:
        postgres: the server.
        database: the product's, or one that `make_databases` has made.
        expected: how many were answered.

    Raises:
        BenchFailed: it holds others.
    """
    with psycopg.connect(postgres.dsn(MIGRATOR, database=database)) as conn:
        cursor = conn.execute(_COUNTS[database])
        [found] = cursor.fetchall()
        names = [column.name for column in cursor.description or ()]
    if any(number != expected for number in found):
        counted = ", ".join(f"{number} {name}" for name, number in zip(names, found, strict=True))
        raise BenchFailed(f"{expected} bookings were answered, but {database} has {counted}")


def server_version(postgres: EmbeddedPostgres) -> str:
    """Gives the version of PostgreSQL, and how it treats a commit.

    Args:
        postgres: the server.
    """
    asked = "SELECT current_setting('server_version'), current_setting('fsync')"
    with psycopg.connect(postgres.dsn(MIGRATOR)) as conn:
        [(version, fsync)] = conn.execute(asked).fetchall()
    return f"PostgreSQL {version} (fsync {fsync})"
