"""The roles that migrations make, how they come about, and that no other role is worked with."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from threading import Barrier

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from infra.access import create_tenant
from infra.database import Database
from infra.postgres.embedded import MIGRATOR, RUNTIME, SUPERUSER, EmbeddedPostgres
from infra.postgres.migrator import migrate
from infra.postgres.pool import open_pool, reading
from infra.postgres.preflight import (
    DatabaseUnfit,
    check_migratable,
    check_migrated,
    check_runtime,
)
from infra.postgres.role_check import READER_ROLES, ROLES, RoleUnsafe, check_role
from infra.postgres.schema import MigrationError, Schema, read_schema
from tests.infra.pid_changing_proxy import pooling_proxy
from tests.scratch import scratch_directory

SINCE_0005 = ("booking_owner", "booking_projector", "booking_directory")

ours = count(1)


@contextmanager
def empty_database(postgres: EmbeddedPostgres, login: str = "") -> Iterator[Database]:
    """An empty database, owned by a new login made with these attributes."""
    name, owner = f"empty_{next(ours)}", f"owner_{next(ours)}"
    names = {"name": sql.Identifier(name), "owner": sql.Identifier(owner)}
    superuser = postgres.dsn(SUPERUSER, database="postgres")
    with psycopg.connect(superuser, autocommit=True) as conn:
        make = "create role {owner} login " + login
        conn.execute(sql.SQL(make).format(**names))
        conn.execute(sql.SQL("create database {name} owner {owner}").format(**names))
    dsn = postgres.dsn(owner, database=name)
    yield Database(runtime_dsn=dsn, owner_dsn=dsn)
    with psycopg.connect(superuser, autocommit=True) as conn:
        conn.execute(sql.SQL("drop database {name} with (force)").format(**names))
        conn.execute(sql.SQL("drop role {owner}").format(**names))


def as_superuser(dsn: str, statement: str) -> None:
    with psycopg.connect(make_conninfo(dsn, user=SUPERUSER), autocommit=True) as conn:
        conn.execute(statement.encode())


def test_the_runtime_login_may_nothing_before_it_becomes_another(database: Database) -> None:
    with psycopg.connect(database.runtime_dsn) as conn:
        may = conn.execute("select has_schema_privilege('booking', 'usage')").fetchone()
        assert may == (False,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute("select from booking.event")


@pytest.mark.parametrize("role", ROLES)
def test_runtime_and_owner_may_become_each_role_and_are_bound_by_it(
    database: Database, role: str
) -> None:
    for dsn in (database.runtime_dsn, database.owner_dsn):
        with psycopg.connect(dsn) as conn:
            conn.execute("select set_config('role', %s, false)", [role])
            bound = "select rolsuper, rolbypassrls from pg_roles where rolname = current_user"
            assert conn.execute(bound).fetchone() == (False, False)
    check_runtime(database.runtime_dsn)


def test_databases_of_one_new_server_can_be_migrated_at_once(
    postgres_programs: Path | None,
) -> None:
    """Roles are the whole server's, and every migration wants to make them."""
    together = Barrier(3)

    def run(dsn: str) -> int:
        together.wait()
        return len(migrate(dsn))

    with (
        scratch_directory("booking-test-") as directory,
        EmbeddedPostgres(Path(directory) / "postgres", postgres_programs) as server,
        ThreadPoolExecutor(3) as threads,
    ):
        names = [f"new_{number}" for number in range(3)]
        with psycopg.connect(server.dsn(SUPERUSER), autocommit=True) as conn:
            for name in names:
                conn.execute(f"create database {name} owner {MIGRATOR}".encode())
        dsns = [server.dsn(MIGRATOR, database=name) for name in names]
        assert len(set(threads.map(run, dsns))) == 1
        for name in names:
            check_runtime(server.dsn(RUNTIME, database=name))


def until(version: int) -> Schema:
    """The files of this program as they were at a migration."""
    schema = read_schema()
    early = tuple(file for file in schema.migrations if file.version <= version)
    return Schema(migrations=early, function_files=schema.function_files)


def share_roles(dsn: str, *roles: str) -> None:
    """Let an owner hand out what another made, as its hint says; PostgreSQL 15 does not ask."""
    owner = psycopg.conninfo.conninfo_to_dict(dsn)["user"]
    as_superuser(dsn, f"grant {', '.join(roles)} to {owner} with admin option")


def owners(dsn: str) -> set[str]:
    with psycopg.connect(dsn) as conn:
        everything = """
            select relowner::regrole::text from pg_class
             where relnamespace = 'booking'::regnamespace and relkind in ('r', 'p', 'v', 'm')
            union
            select proowner::regrole::text from pg_proc where pronamespace = 'booking'::regnamespace
        """
        return {str(owner) for (owner,) in conn.execute(everything.encode())}


def test_a_second_owner_is_told_how_to_share_the_roles(postgres: EmbeddedPostgres) -> None:
    """From PostgreSQL 16 on, only who made a role may hand it out."""
    with psycopg.connect(postgres.dsn(SUPERUSER)) as conn:
        strict = conn.info.server_version >= 160000
    with empty_database(postgres, "createrole") as empty:
        if strict:
            with pytest.raises(MigrationError, match="WITH ADMIN OPTION"):
                migrate(empty.owner_dsn)
            share_roles(empty.owner_dsn, "booking_api", "booking_background")
            with pytest.raises(MigrationError, match=r"booking_owner, .* WITH ADMIN OPTION"):
                migrate(empty.owner_dsn)
            share_roles(empty.owner_dsn, *SINCE_0005)
        assert migrate(empty.owner_dsn)
        check_runtime(empty.runtime_dsn)


def test_what_an_owner_who_logs_in_had_made_becomes_the_owners_who_does_not(
    postgres: EmbeddedPostgres,
) -> None:
    with empty_database(postgres, "createrole") as empty:
        share_roles(empty.owner_dsn, "booking_api", "booking_background", *SINCE_0005)
        migrate(empty.owner_dsn, until(4))
        login = psycopg.conninfo.conninfo_to_dict(empty.owner_dsn)["user"]
        assert owners(empty.owner_dsn) == {login}

        applied = migrate(empty.owner_dsn)
        assert applied[0].name == "0005_reader_roles.sql"

        assert owners(empty.owner_dsn) == {"booking_owner"}
        check_runtime(empty.runtime_dsn)
        with psycopg.connect(empty.owner_dsn) as conn:
            create_tenant(conn, "made-by-the-login", "Made by the login")


def test_a_login_that_may_make_no_schema_migrates_those_that_it_is_given(
    postgres: EmbeddedPostgres,
) -> None:
    with empty_database(postgres, "createrole") as empty:
        share_roles(empty.owner_dsn, "booking_api", "booking_background", *SINCE_0005)
        login = psycopg.conninfo.conninfo_to_dict(empty.owner_dsn)["user"]
        as_superuser(
            empty.owner_dsn,
            f"""
            create extension btree_gist;
            create schema booking authorization {login};
            create schema analytics authorization {login};
            do $$ begin
                execute format('alter database %I owner to postgres', current_database());
            end $$
            """,
        )
        migrate(empty.owner_dsn)
        assert owners(empty.owner_dsn) == {"booking_owner"}


def test_a_migrating_login_that_does_not_inherit_is_told_to_or_made_to(
    postgres: EmbeddedPostgres,
) -> None:
    """From PostgreSQL 16 on, each membership says for itself whether its rights are had."""
    with empty_database(postgres, "createrole noinherit") as empty:
        share_roles(empty.owner_dsn, "booking_api", "booking_background", *SINCE_0005)
        try:
            migrate(empty.owner_dsn)
        except MigrationError as error:
            assert "INHERIT;" in str(error)  # noqa: PT017 - which of the two depends on the server
            assert owners(empty.owner_dsn) != {"booking_owner"}
        else:
            with psycopg.connect(empty.owner_dsn) as conn:
                assert conn.info.server_version >= 160000
                create_tenant(conn, "made-by-the-login", "Made by the login")


def test_an_owner_who_may_not_make_roles_is_named(postgres: EmbeddedPostgres) -> None:
    with empty_database(postgres, "nocreaterole") as empty:
        as_superuser(empty.owner_dsn, "alter role booking_runtime rename to booking_away")
        try:
            with pytest.raises(DatabaseUnfit, match=r"ALTER ROLE .* CREATEROLE"):
                check_migratable(empty.owner_dsn)
        finally:
            as_superuser(empty.owner_dsn, "alter role booking_away rename to booking_runtime")


def test_a_login_that_may_not_make_the_schema_is_named(
    postgres: EmbeddedPostgres, database: Database
) -> None:
    with empty_database(postgres) as empty:
        stranger = make_conninfo(empty.owner_dsn, user="booking_runtime")
        with pytest.raises(DatabaseUnfit, match="GRANT CREATE ON DATABASE"):
            check_migratable(stranger)
        with pytest.raises(DatabaseUnfit, match="Run: booking migrate"):
            check_migrated(empty.runtime_dsn)
    check_migrated(database.runtime_dsn)


def test_a_server_out_of_reach_is_named(postgres: EmbeddedPostgres) -> None:
    nowhere = make_conninfo(postgres.dsn(), host="/nonexistent")

    for check in (check_migratable, check_migrated, check_runtime):
        with pytest.raises(DatabaseUnfit, match=r"DATABASE_URL: .* See that the server runs"):
            check(nowhere)


def test_a_login_that_may_not_become_the_role_is_refused(
    postgres: EmbeddedPostgres, database: Database
) -> None:
    with empty_database(postgres) as other:
        stranger = psycopg.conninfo.conninfo_to_dict(other.owner_dsn)["user"]
        with pytest.raises(RoleUnsafe, match="GRANT booking_api TO"):
            check_role(make_conninfo(database.runtime_dsn, user=stranger), "booking_api")


@pytest.mark.parametrize(
    ("attribute", "says"),
    [("superuser", "is a superuser"), ("bypassrls", "passes by row-level security")],
)
async def test_no_pool_is_opened_as_a_role_that_nothing_binds(
    database: Database, attribute: str, says: str
) -> None:
    as_superuser(database.owner_dsn, f"alter role booking_api {attribute}")
    try:
        with pytest.raises(RoleUnsafe, match=says):
            await open_pool(database.runtime_dsn, role="booking_api")
    finally:
        as_superuser(database.owner_dsn, f"alter role booking_api no{attribute}")


async def test_no_pool_is_opened_as_a_role_that_owns_a_table(database: Database) -> None:
    as_superuser(database.owner_dsn, "alter table booking.receipt owner to booking_api")

    with pytest.raises(RoleUnsafe, match=r"owns booking\.receipt"):
        await open_pool(database.runtime_dsn, role="booking_api")


@pytest.mark.parametrize("reader", READER_ROLES)
@pytest.mark.parametrize("worker", ["booking_runtime", "booking_api"])
async def test_no_pool_is_opened_by_a_login_that_reads_across_the_api_too(
    database: Database, worker: str, reader: str
) -> None:
    as_superuser(database.owner_dsn, f"grant {reader} to {worker}")
    try:
        with pytest.raises(RoleUnsafe, match=f"REVOKE {reader} FROM {worker}"):
            await open_pool(database.runtime_dsn, role="booking_api")
    finally:
        as_superuser(database.owner_dsn, f"revoke {reader} from {worker}")


async def test_a_pooled_connection_has_become_its_role_with_a_bound_on_every_wait(
    database: Database,
) -> None:
    for role in ROLES:
        pool = await open_pool(database.runtime_dsn, role=role)
        async with pool.connection() as conn:
            cursor = await conn.execute(
                "select current_user, current_setting('timezone'),"
                " current_setting('statement_timeout'), current_setting('lock_timeout'),"
                " current_setting('idle_in_transaction_session_timeout')"
            )
            statement = "1min" if role == "booking_background" else "10s"
            assert await cursor.fetchone() == (role, "UTC", statement, "5s", "30s")
        await pool.close()


async def test_reading_sees_one_moment_of_one_tenant_and_writes_nothing(
    database: Database,
) -> None:
    pool = await open_pool(database.runtime_dsn, role="booking_api")
    with psycopg.connect(database.owner_dsn, autocommit=True) as owner:
        add = "insert into booking.tenant values (gen_random_uuid(), %s, %s) returning tenant_id"
        ids = [owner.execute(add, [slug, slug]).fetchone() for slug in ("ours", "theirs")]
        (mine,), _ = (row or (None,) for row in ids)
        async with reading(pool, mine) as conn:
            names = await (await conn.execute("select slug from booking.tenant")).fetchall()
            assert names == [("ours",)]
            owner.execute("update booking.tenant set name = 'changed'")
            same = await (await conn.execute("select name from booking.tenant")).fetchall()
            assert same == [("ours",)]
            with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
                await conn.execute("update booking.tenant_head set seq = 1")
    async with pool.connection() as conn:
        assert await (await conn.execute("select slug from booking.tenant")).fetchall() == []
    await pool.close()


def test_no_pool_is_opened_through_a_proxy_that_pools(database: Database) -> None:
    """What a connection becomes there, somebody else's would be."""
    with pooling_proxy(database.runtime_dsn) as dsn, pytest.raises(RoleUnsafe, match="a proxy"):
        check_role(dsn, "booking_api")
