"""Brings a database to the schema of this program, only forward.

Each file is applied in one transaction together with the line that says so, under an advisory lock:
two processes that migrate at once apply it once. Its SHA-256 is kept, so that a file changed after
it was applied is noticed and not taken for what the database has.

Once the schema belongs to `booking_owner`, whom nobody logs in as, the login becomes that role for
each file, so that what the file makes belongs to it too. A file that makes a role or an extension
says `set local role none` before, and `set local role booking_owner` after it.
"""

import psycopg
import structlog
from psycopg.rows import class_row

from infra.postgres.schema import (
    APPLIED_FUNCTION_FILES,
    APPLIED_MIGRATIONS,
    HAS_FUNCTION_FILES,
    Applied,
    AppliedFunctionFile,
    AppliedMigration,
    Migration,
    MigrationError,
    Schema,
    SchemaFile,
    read_schema,
)

_log = structlog.get_logger(__name__)

ADVISORY_LOCK = 0x626F6F6B  # "book": one number for all who migrate, whatever their version

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
# Made after the numbered files, since the first of them makes the roles.
_MAKE_FUNCTION_FILES = """
    CREATE TABLE booking.function_file (
        name        text        NOT NULL CONSTRAINT function_file_pk PRIMARY KEY,
        revision    int         NOT NULL,
        sha256      text        NOT NULL,
        applied_at  timestamptz NOT NULL DEFAULT clock_timestamp()
    );
    GRANT SELECT ON booking.function_file TO booking_api, booking_background
"""
# Asked of this database, not of the server: another one's migrations may have made the role.
_BECOME_OWNER = """
    SELECT set_config('role', r.rolname, true)
    FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner
    WHERE c.oid = 'booking.migration'::regclass
      AND r.rolname = 'booking_owner' AND r.rolname <> current_user
"""
_RECORD_MIGRATION = "INSERT INTO booking.migration (version, name, sha256) VALUES (%s, %s, %s)"
_RECORD_FUNCTION_FILE = """
    INSERT INTO booking.function_file (name, revision, sha256) VALUES (%s, %s, %s)
    ON CONFLICT ON CONSTRAINT function_file_pk DO UPDATE
    SET revision = excluded.revision, sha256 = excluded.sha256, applied_at = excluded.applied_at
"""


def migrate(dsn: str, schema: Schema | None = None) -> list[SchemaFile]:
    """Apply what the database does not have yet.

    Args:
        dsn: the connection string of a member of the owner, or of whoever is to be one, straight to
            the server (not through a transaction pool).
        schema: the files; without them, those of this program.

    Returns:
        What this call applied; empty if nothing was left to do.

    Raises:
        MigrationError: what was applied is not what this program knows, or a file failed.
        psycopg.OperationalError: the server cannot be reached.
    """
    schema = read_schema() if schema is None else schema
    applied: list[SchemaFile] = []
    with psycopg.connect(dsn, autocommit=True, application_name="booking migrate") as conn:
        conn.execute("SET TIME ZONE 'UTC'")
        conn.execute("SET lock_timeout = '5min'")
        conn.execute("SET row_security = off")  # an error, never a silent filter, if not the owner
        # Asked before the lock, which any login may hold, an analyst's too.
        if conn.execute(_HAS_BOOKKEEPING).rowcount and not _not_applied(conn, schema):
            return []
        while (file := _apply_next(conn, schema)) is not None:
            _log.info("migration applied", migration=file.name)
            applied.append(file)
    return applied


def pending(dsn: str, schema: Schema | None = None) -> list[SchemaFile]:
    """Say what `migrate` would apply; changes nothing.

    Args:
        dsn: the owner's or the runtime's connection string.
        schema: the files; without them, those of this program.

    Returns:
        The files that the database does not have.

    Raises:
        MigrationError: what was applied is not what this program knows.
        psycopg.OperationalError: the server cannot be reached.
    """
    schema = read_schema() if schema is None else schema
    with psycopg.connect(dsn, application_name="booking migrate") as conn:
        if not conn.execute(_HAS_BOOKKEEPING).rowcount:
            return schema.lacking(Applied({}, {}))
        (readable,) = conn.execute(
            "SELECT has_table_privilege(oid, 'SELECT') FROM pg_class"
            " WHERE relnamespace = 'booking'::regnamespace AND relname = 'migration'"
        ).fetchone() or (False,)
        if not readable:
            conn.execute("SET LOCAL ROLE booking_api")
        return _not_applied(conn, schema)


def _apply_next(conn: psycopg.Connection, schema: Schema) -> SchemaFile | None:
    with conn.transaction():
        conn.execute("SELECT pg_advisory_xact_lock(%s)", [ADVISORY_LOCK])
        if not conn.execute(_HAS_BOOKKEEPING).rowcount:
            # Asked first: IF NOT EXISTS wants the right to create schemas even if there is one.
            if not conn.execute(_HAS_SCHEMA).rowcount:
                conn.execute("CREATE SCHEMA booking")
            conn.execute(_MAKE_BOOKKEEPING)
        waiting = _not_applied(conn, schema)
        if not waiting:
            return None
        _apply(conn, waiting[0])
        return waiting[0]


def _apply(conn: psycopg.Connection, file: SchemaFile) -> None:
    try:
        conn.execute(_BECOME_OWNER)
        conn.execute(file.statements)
    except psycopg.Error as error:
        raise MigrationError(
            f"The migration {file.name} failed and left no trace: {_said(error)}"
        ) from error
    if isinstance(file, Migration):
        conn.execute(_RECORD_MIGRATION, [file.version, file.name, file.sha256])
        return
    if not conn.execute(HAS_FUNCTION_FILES).rowcount:
        conn.execute(_MAKE_FUNCTION_FILES)
    conn.execute(_RECORD_FUNCTION_FILE, [file.name, file.revision, file.sha256])


def _said(error: psycopg.Error) -> str:
    parts = (error.diag.message_primary, error.diag.message_detail, error.diag.message_hint)
    return ". ".join(part for part in parts if part) or str(error)


def _not_applied(conn: psycopg.Connection, schema: Schema) -> list[SchemaFile]:
    cursor = conn.cursor(row_factory=class_row(AppliedMigration))
    migrations = {line.version: line for line in cursor.execute(APPLIED_MIGRATIONS)}
    function_files = {}
    if conn.execute(HAS_FUNCTION_FILES).rowcount:
        lines = conn.cursor(row_factory=class_row(AppliedFunctionFile))
        function_files = {line.name: line for line in lines.execute(APPLIED_FUNCTION_FILES)}
    applied = Applied(migrations, function_files)
    schema.check(applied)
    return schema.lacking(applied)
