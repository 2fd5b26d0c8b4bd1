"""Brings a database to the schema of this program, by numbered SQL files, only forward.

Each file is applied in one transaction together with the line that says so, under an advisory lock:
two processes that migrate at once apply it once. Its SHA-256 is kept, so that a file changed after
it was applied is noticed and not taken for what the database has.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable

import psycopg
import structlog
from psycopg.rows import class_row

_log = structlog.get_logger(__name__)

ADVISORY_LOCK = 0x626F6F6B  # "book": one number for all who migrate, whatever their version
_FILE_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")

_HAS_BOOKKEEPING = "SELECT FROM pg_tables WHERE schemaname = 'booking' AND tablename = 'migration'"
_HAS_SCHEMA = "SELECT FROM pg_namespace WHERE nspname = 'booking'"
_MAKE_BOOKKEEPING = """
    CREATE TABLE booking.migration (
        version     int         NOT NULL CONSTRAINT migration_pk PRIMARY KEY,
        name        text        NOT NULL,
        sha256      text        NOT NULL,
        applied_at  timestamptz NOT NULL DEFAULT clock_timestamp()
    )
"""


class MigrationError(Exception):
    """The database cannot be migrated; the message says why, and what to do."""


@dataclass(frozen=True)
class Migration:
    """One SQL file.

    Attributes:
        version: its number.
        name: the file's name.
        sha256: the digest of its bytes, in hex.
        statements: its bytes.
    """

    version: int
    name: str
    sha256: str
    statements: bytes


@dataclass(frozen=True)
class _Applied:
    version: int
    name: str
    sha256: str


def migrations(directory: Traversable | None = None) -> tuple[Migration, ...]:
    """Read the migrations, in their order.

    Args:
        directory: where the files are; without it, the package `migrations`.

    Returns:
        All of them.

    Raises:
        MigrationError: a file is not named like one, or two have the same number.
    """
    found: dict[int, Migration] = {}
    for file in (directory or resources.files("migrations")).iterdir():
        if not file.name.endswith(".sql"):
            continue
        match = _FILE_NAME.fullmatch(file.name)
        if match is None:
            raise MigrationError(
                f"Rename the migration {file.name}: names are like 0004_words.sql."
            )
        version, statements = int(match[1]), file.read_bytes()
        if version in found:
            raise MigrationError(
                f"Renumber one of {found[version].name} and {file.name}: they have the same number."
            )
        digest = hashlib.sha256(statements).hexdigest()
        found[version] = Migration(version, file.name, digest, statements)
    return tuple(found[version] for version in sorted(found))


def migrate(dsn: str, known: Sequence[Migration] | None = None) -> list[Migration]:
    """Apply what the database does not have yet.

    Args:
        dsn: the owner's connection string, straight to the server (not through a transaction pool).
        known: the migrations; without them, those of this program.

    Returns:
        What this call applied; empty if nothing was left to do.

    Raises:
        MigrationError: what was applied is not what this program knows, or a file failed.
        psycopg.OperationalError: the server cannot be reached.
    """
    known = migrations() if known is None else known
    applied: list[Migration] = []
    with psycopg.connect(dsn, autocommit=True, application_name="booking migrate") as conn:
        conn.execute("SET TIME ZONE 'UTC'")
        conn.execute("SET lock_timeout = '5min'")
        conn.execute("SET row_security = off")  # an error, never a silent filter, if not the owner
        while (migration := _apply_next(conn, known)) is not None:
            _log.info("migration applied", migration=migration.name)
            applied.append(migration)
    return applied


def pending(dsn: str, known: Sequence[Migration] | None = None) -> list[Migration]:
    """Say what `migrate` would apply; changes nothing.

    Args:
        dsn: the owner's or the runtime's connection string.
        known: the migrations; without them, those of this program.

    Returns:
        The migrations that the database does not have.

    Raises:
        MigrationError: what was applied is not what this program knows.
        psycopg.OperationalError: the server cannot be reached.
    """
    known = migrations() if known is None else known
    with psycopg.connect(dsn, application_name="booking migrate") as conn:
        if not conn.execute(_HAS_BOOKKEEPING).rowcount:
            return list(known)
        (readable,) = conn.execute(
            "SELECT has_table_privilege(oid, 'SELECT') FROM pg_class"
            " WHERE relnamespace = 'booking'::regnamespace AND relname = 'migration'"
        ).fetchone() or (False,)
        if not readable:
            conn.execute("SET LOCAL ROLE booking_api")
        return _not_applied(conn, known)


def _apply_next(conn: psycopg.Connection, known: Sequence[Migration]) -> Migration | None:
    with conn.transaction():
        conn.execute("SELECT pg_advisory_xact_lock(%s)", [ADVISORY_LOCK])
        if not conn.execute(_HAS_BOOKKEEPING).rowcount:
            # Asked first: IF NOT EXISTS wants the right to create schemas even if there is one.
            if not conn.execute(_HAS_SCHEMA).rowcount:
                conn.execute("CREATE SCHEMA booking")
            conn.execute(_MAKE_BOOKKEEPING)
        waiting = _not_applied(conn, known)
        if not waiting:
            return None
        migration = waiting[0]
        try:
            conn.execute(migration.statements)
        except psycopg.Error as error:
            raise MigrationError(
                f"Migration {migration.name} failed and left no trace: {_said(error)}"
            ) from error
        conn.execute(
            "INSERT INTO booking.migration (version, name, sha256) VALUES (%s, %s, %s)",
            [migration.version, migration.name, migration.sha256],
        )
        return migration


def _said(error: psycopg.Error) -> str:
    parts = (error.diag.message_primary, error.diag.message_detail, error.diag.message_hint)
    return ". ".join(part for part in parts if part) or str(error)


def _not_applied(conn: psycopg.Connection, known: Sequence[Migration]) -> list[Migration]:
    cursor = conn.cursor(row_factory=class_row(_Applied))
    applied = cursor.execute(
        "SELECT version, name, sha256 FROM booking.migration ORDER BY version"
    ).fetchall()
    by_version = {migration.version: migration for migration in known}
    for line in applied:
        file = by_version.pop(line.version, None)
        if file is None:
            raise MigrationError(
                f"This database has the migration {line.name}, which this program does not know: "
                "the database is newer. Use the program's version that migrated it, or a later one."
            )
        if file.sha256 != line.sha256:
            raise MigrationError(
                f"The migration {file.name} was changed after it was applied to this database (as "
                f"{line.name}). Restore the file and put the change into a new migration."
            )
    late = [m for m in by_version.values() if applied and m.version < applied[-1].version]
    if late:
        raise MigrationError(
            f"The migration {late[0].name} came after {applied[-1].name} was applied to this "
            "database. Give it the next free number: migrations only go forward."
        )
    return list(by_version.values())
