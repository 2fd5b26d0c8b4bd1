"""Logins for psql and BI tools: whom a grant lets in, whom it refuses, and what ends with it."""

from collections.abc import Iterator

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from domain.ids import TenantId
from infra.access import create_tenant
from infra.database import Database
from infra.postgres.embedded import SUPERUSER
from infra.postgres.reader_logins import (
    ReaderRefused,
    grant_reader,
    reader_logins,
    revoke_reader,
)

LOGIN = "maria"  # of the whole server, and gone after each test


@pytest.fixture
def owner(database: Database) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database.owner_dsn, autocommit=True) as conn:
        yield conn
        as_superuser(database, f"drop role if exists {LOGIN}")


@pytest.fixture
def tenants(owner: psycopg.Connection) -> list[TenantId]:
    return [create_tenant(owner, slug, slug.title()) for slug in ("first", "second")]


def as_superuser(database: Database, *statements: str) -> None:
    with psycopg.connect(make_conninfo(database.owner_dsn, user=SUPERUSER)) as conn:
        for statement in statements:
            conn.execute(statement.encode())


def slugs_seen(database: Database, login: str = LOGIN) -> set[str]:
    with psycopg.connect(make_conninfo(database.owner_dsn, user=login)) as conn:
        return {slug for (slug,) in conn.execute("select slug from booking.tenant")}


def test_a_login_is_made_and_sees_what_it_is_granted_until_that_is_revoked(
    database: Database, owner: psycopg.Connection, tenants: list[TenantId]
) -> None:
    first, second = tenants
    made = grant_reader(owner, first, LOGIN, "analyst")
    assert made.made
    assert made.password is not None
    assert slugs_seen(database) == {"first"}

    again = grant_reader(owner, second, LOGIN, "analyst")
    assert (again.made, again.password, again.unbounded) == (False, None, None)
    assert slugs_seen(database) == {"first", "second"}

    revoke_reader(owner, first, LOGIN)
    assert slugs_seen(database) == {"second"}
    with pytest.raises(ReaderRefused, match="booking analyst list"):
        revoke_reader(owner, first, LOGIN)

    revoke_reader(owner, second, LOGIN)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        slugs_seen(database)


def test_the_password_is_kept_as_scram_and_every_session_is_bounded(
    database: Database, owner: psycopg.Connection, tenants: list[TenantId]
) -> None:
    made = grant_reader(owner, tenants[0], LOGIN, "auditor")

    with psycopg.connect(make_conninfo(database.owner_dsn, user=SUPERUSER)) as conn:
        kept = "select rolpassword from pg_authid where rolname = %s"
        [(password,)] = conn.execute(kept, [LOGIN]).fetchall()
    assert password.startswith("SCRAM-SHA-256$")
    assert made.password not in password
    with psycopg.connect(make_conninfo(database.owner_dsn, user=LOGIN)) as session:
        bounds = """
            select current_setting('statement_timeout'),
                   current_setting('idle_in_transaction_session_timeout')
        """
        assert session.execute(bounds).fetchone() == ("1min", "1min")


def test_a_login_that_the_server_knows_in_another_way_gets_no_password(
    database: Database, owner: psycopg.Connection, tenants: list[TenantId]
) -> None:
    made = grant_reader(owner, tenants[0], LOGIN, "analyst", with_password=False)

    assert (made.made, made.password) == (True, None)
    assert slugs_seen(database) == {"first"}


def test_a_login_that_is_there_is_granted_and_what_cannot_be_done_is_told(
    database: Database, owner: psycopg.Connection, tenants: list[TenantId]
) -> None:
    as_superuser(database, f"create role {LOGIN} login")

    granted = grant_reader(owner, tenants[0], LOGIN, "analyst")

    assert not granted.made
    assert slugs_seen(database) == {"first"}
    if owner.info.server_version >= 160000:  # only who made a login, or a superuser, may bound it
        assert granted.unbounded is not None
        as_superuser(database, granted.unbounded)
    with psycopg.connect(make_conninfo(database.owner_dsn, user=LOGIN)) as session:
        assert session.execute("show statement_timeout").fetchone() == ("30s",)


REFUSED = [
    ("login superuser", "is a superuser"),
    ("login bypassrls", "NOBYPASSRLS;"),
    ("login createrole", "NOCREATEROLE;"),
    ("login replication", "NOREPLICATION;"),
    ("nologin", "does not log in"),
    *(
        (f"login in role {role}", f"member of {role}.*REVOKE {role} FROM")
        for role in (
            "booking_api",
            "booking_background",
            "booking_projector",
            "booking_directory",
            "booking_owner",
            "booking_auditor",
            "booking_runtime",
            "pg_read_server_files",
        )
    ),
]


def test_a_login_that_could_see_more_is_refused_and_left_as_it_was(
    database: Database, owner: psycopg.Connection, tenants: list[TenantId]
) -> None:
    for attributes, says in REFUSED:
        as_superuser(database, f"create role {LOGIN} {attributes}")
        with pytest.raises(ReaderRefused, match=says.replace("booking_runtime", "booking_api")):
            grant_reader(owner, tenants[0], LOGIN, "analyst")
        assert reader_logins(owner) == []
        as_superuser(database, f"drop role {LOGIN}")


@pytest.mark.parametrize("login", ["booking_runtime", "booking_migrator", "postgres"])
def test_the_engines_own_logins_are_refused(
    owner: psycopg.Connection, tenants: list[TenantId], login: str
) -> None:
    with pytest.raises(ReaderRefused):
        grant_reader(owner, tenants[0], login, "analyst")


@pytest.mark.parametrize("login", ["", "x" * 64, "pg_maria", "public"])
def test_a_name_that_no_login_can_have_is_refused(
    owner: psycopg.Connection, tenants: list[TenantId], login: str
) -> None:
    with pytest.raises(ReaderRefused):
        grant_reader(owner, tenants[0], login, "analyst")


def test_a_reader_of_one_role_is_refused_the_other(
    owner: psycopg.Connection, tenants: list[TenantId]
) -> None:
    grant_reader(owner, tenants[0], LOGIN, "analyst")
    with pytest.raises(ReaderRefused, match="member of booking_analyst"):
        grant_reader(owner, tenants[1], LOGIN, "auditor")


def test_lines_of_a_login_that_is_gone_do_not_come_back_to_life_with_its_name(
    database: Database, owner: psycopg.Connection, tenants: list[TenantId]
) -> None:
    grant_reader(owner, tenants[0], LOGIN, "analyst")
    as_superuser(database, f"drop role {LOGIN}", f"create role {LOGIN} login")

    grant_reader(owner, tenants[1], LOGIN, "analyst")

    assert slugs_seen(database) == {"second"}


def test_the_list_tells_what_has_become_of_a_login(
    database: Database, owner: psycopg.Connection, tenants: list[TenantId]
) -> None:
    grant_reader(owner, tenants[0], LOGIN, "analyst")
    [line] = reader_logins(owner)
    assert (line.tenant, line.login, line.role, line.faults) == ("first", LOGIN, "analyst", ())

    as_superuser(database, f"grant booking_api to {LOGIN}")
    [line] = reader_logins(owner)
    assert "member of booking_api" in line.faults[0]

    as_superuser(database, f"drop role {LOGIN}")
    [line] = reader_logins(owner)
    assert "no login" in line.faults[0]


def test_who_may_not_hand_out_the_role_is_told_who_can(
    database: Database, owner: psycopg.Connection, tenants: list[TenantId]
) -> None:
    """As where another owner of the same server has made the roles."""
    as_superuser(
        database,
        f"create role {LOGIN} login in role booking_owner",
        "create role reader_of_theirs login",
    )
    other = make_conninfo(database.owner_dsn, user=LOGIN)
    try:
        assert grant_reader(owner, tenants[0], "reader_of_theirs", "analyst").made is False
        revoke_reader(owner, tenants[0], "reader_of_theirs")
        with psycopg.connect(other) as conn, pytest.raises(ReaderRefused, match="GRANT booking_"):
            grant_reader(conn, tenants[0], "reader_of_theirs", "analyst")
    finally:
        as_superuser(database, "drop role reader_of_theirs")
