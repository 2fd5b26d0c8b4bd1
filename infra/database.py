"""The database that this process works with: the embedded one, or the one at DATABASE_URL."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from infra.kept_secrets import master_key_of
from infra.postgres.embedded import MIGRATOR, RUNTIME, EmbeddedPostgres
from infra.postgres.keeping_alive import kept_alive
from infra.postgres.migrator import migrate
from infra.postgres.preflight import check_migratable, check_migrated, check_runtime
from infra.settings import Settings


@dataclass(frozen=True)
class Database:
    """How to reach one database.

    Attributes:
        runtime_dsn: for everything that answers requests or works in the background; whoever logs
            in with it becomes one of the roles of `infra.postgres.role_check`.
        owner_dsn: for migrations and for what only an owner may do (tenants, API keys); of a login
            that is a member of `booking_owner`, whom nobody logs in as.
    """

    runtime_dsn: str
    owner_dsn: str


@contextmanager
def open_database(settings: Settings) -> Iterator[Database]:
    """Have the database at hand; in embedded mode, start its server or join it if it runs.

    Nothing is checked or migrated: see `migrated` and `usable`. Blocking.

    Args:
        settings: where it is.

    Yields:
        How to reach it, as long as the context lasts.

    Raises:
        EmbeddedPostgresError: the embedded server cannot be had.
        SettingsError: the embedded database's master key is missing.
    """
    if settings.database_url is not None:
        owner_dsn = settings.migration_database_url or settings.database_url
        yield Database(runtime_dsn=settings.database_url, owner_dsn=owner_dsn)
        return
    master_key_of(settings)  # made before the database: without its key a database is half lost
    with EmbeddedPostgres(settings.data_dir / "postgres") as server, kept_alive(server):
        yield Database(runtime_dsn=server.dsn(RUNTIME), owner_dsn=server.dsn(MIGRATOR))


def migrated(database: Database) -> list[str]:
    """Bring the database to this program's schema, and see that the runtime can reach it.

    Args:
        database: the database.

    Returns:
        The names of the migrations that this call applied.

    Raises:
        DatabaseUnfit: something is missing on the server; the message says what.
        RoleUnsafe: the runtime would not be kept to one tenant.
        MigrationError: a migration failed, or the database is another version's.
    """
    check_migratable(database.owner_dsn)
    applied = [migration.name for migration in migrate(database.owner_dsn)]
    check_runtime(database.runtime_dsn)
    return applied


def usable(database: Database, settings: Settings) -> None:
    """See that the database can be worked with: the embedded one is migrated, another must be.

    Args:
        database: the database.
        settings: say which of the two it is.

    Raises:
        DatabaseUnfit: it cannot be reached, or lacks migrations.
        RoleUnsafe: the runtime would not be kept to one tenant.
        MigrationError: a migration failed, or the database is another version's.
    """
    if settings.embedded:
        migrated(database)
    else:
        check_migrated(database.runtime_dsn)
        check_runtime(database.runtime_dsn)
