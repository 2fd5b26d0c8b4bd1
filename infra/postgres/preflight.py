"""What somebody else's PostgreSQL must offer before the engine may live there."""

from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import class_row

from infra.postgres.migrator import pending
from infra.postgres.role_check import READER_ROLES, ROLES, check_role

OLDEST_VERSION = 15

_ROLES = ("booking_owner", "booking_runtime", *ROLES, *READER_ROLES)
_FACTS = """
    SELECT current_user::text AS role,
           current_database()::text AS database,
           current_setting('server_version') AS version,
           current_setting('server_version_num')::int / 10000 AS major_version,
           (SELECT rolcreaterole OR rolsuper FROM pg_roles
            WHERE rolname = current_user) AS may_make_roles,
           ARRAY(SELECT r FROM unnest(%s::text[]) r
                 WHERE r NOT IN (SELECT rolname FROM pg_roles)) AS absent_roles,
           (SELECT count(*) = 2 FROM pg_namespace
            WHERE nspname IN ('analytics', 'booking')) AS has_schemas,
           has_database_privilege(current_database(), 'CREATE') AS may_create,
           EXISTS (SELECT FROM pg_extension WHERE extname = 'btree_gist') AS has_extension,
           EXISTS (SELECT FROM pg_available_extensions
                   WHERE name = 'btree_gist') AS extension_at_hand
"""


class DatabaseUnfit(Exception):
    """The server at DATABASE_URL cannot be used as it is.

    Attributes:
        faults: a sentence for each thing that is missing, with what to do.
    """

    def __init__(self, *faults: str) -> None:
        """Name the faults."""
        super().__init__("\n".join(faults))
        self.faults = faults


@dataclass(frozen=True)
class _Facts:
    role: str
    database: str
    version: str
    major_version: int
    may_make_roles: bool
    absent_roles: list[str]
    has_schemas: bool
    may_create: bool
    has_extension: bool
    extension_at_hand: bool

    def faults(self) -> Iterator[str]:
        """Say what keeps the migrations from being applied, and what to do."""
        if self.absent_roles and not self.may_make_roles:
            yield (
                f'The role "{self.role}" may not make the roles {", ".join(self.absent_roles)}. '
                f'As a superuser, run: ALTER ROLE "{self.role}" CREATEROLE;'
            )
        if not self.may_create and not (self.has_schemas and self.has_extension):
            yield (
                f'The role "{self.role}" may not make the schemas booking and analytics and the '
                "extension btree_gist. As the database's owner, run: "
                f'GRANT CREATE ON DATABASE "{self.database}" TO "{self.role}";'
            )
        if not self.has_extension and not self.extension_at_hand:
            yield (
                "The server lacks the extension btree_gist. Install PostgreSQL's contrib modules "
                "there (Debian has them in the package postgresql, Red Hat in postgresql-contrib)."
            )


def check_migratable(owner_dsn: str) -> None:
    """See that a database can be migrated: version, extension, roles, privileges.

    Args:
        owner_dsn: the connection string that migrations use.

    Raises:
        DatabaseUnfit: it cannot; all that is missing is named.
        MigrationError: it was migrated by another version of this program.
    """
    with (
        _connected("MIGRATION_DATABASE_URL, or without it DATABASE_URL", owner_dsn) as conn,
        conn.cursor(row_factory=class_row(_Facts)) as cursor,
    ):
        [facts] = cursor.execute(_FACTS, [list(_ROLES)]).fetchall()
    if facts.major_version < OLDEST_VERSION:
        raise DatabaseUnfit(
            f"The server is PostgreSQL {facts.version}; use {OLDEST_VERSION} or later."
        )
    faults = list(facts.faults())
    if faults and waiting_migrations(owner_dsn):
        raise DatabaseUnfit(*faults)


def check_migrated(dsn: str) -> None:
    """See that a database has the schema of this program.

    Args:
        dsn: the connection string of the owner or the runtime.

    Raises:
        DatabaseUnfit: it cannot be reached, or migrations are waiting.
        MigrationError: it was migrated by another version of this program.
    """
    waiting = waiting_migrations(dsn)
    if waiting:
        raise DatabaseUnfit(
            f"The database lacks the migrations {', '.join(waiting)}. Run: booking migrate"
        )


def waiting_migrations(dsn: str) -> list[str]:
    """Name the migrations that a database does not have yet.

    Args:
        dsn: the connection string of the owner or the runtime.

    Returns:
        The names of their files.

    Raises:
        DatabaseUnfit: it cannot be reached, or the login may not ask.
        MigrationError: it was migrated by another version of this program.
    """
    with _connected("DATABASE_URL", dsn):
        pass
    try:
        return [migration.name for migration in pending(dsn)]
    except psycopg.errors.InsufficientPrivilege as error:
        raise DatabaseUnfit(
            f"The login {conninfo_to_dict(dsn).get('user')!r} may not read the schema booking: "
            f"{error.diag.message_primary}. Let it log in as booking_runtime, or as a member of "
            f"booking_owner, GRANT it {', '.join(ROLES)}."
        ) from error


def check_runtime(runtime_dsn: str) -> None:
    """See that the runtime is let in, and may become what it has to become and no more.

    Args:
        runtime_dsn: the connection string of the runtime.

    Raises:
        DatabaseUnfit: it is not let in.
        RoleUnsafe: the database would not keep tenants apart.
    """
    with _connected("DATABASE_URL", runtime_dsn):
        for role in ROLES:
            check_role(runtime_dsn, role)


def _connected(setting: str, dsn: str) -> psycopg.Connection:
    try:
        return psycopg.connect(dsn, connect_timeout=10, application_name="booking preflight")
    except psycopg.OperationalError as error:
        said = " ".join(str(error).split())  # libpq writes several lines
        raise DatabaseUnfit(
            f"{setting}: {said} See that the server runs and lets this login in."
        ) from error
