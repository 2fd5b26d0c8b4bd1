"""Who reads by a login of their own sees the tenants of that login, whatever the session does."""

from collections.abc import Iterator
from typing import LiteralString
from uuid import UUID

import psycopg
import pytest
from psycopg import sql

from infra.postgres.embedded import SUPERUSER
from tests.isolation.conftest import OURS, STRANGERS, Ground
from tests.isolation.matrix import named
from tests.isolation.rights import RIGHTS, Role, scopes

LOGINS: dict[Role, str] = {"auditor": OURS.auditor, "analyst": OURS.analyst}
READERS = pytest.mark.parametrize("role", LOGINS)


@pytest.fixture
def role() -> Role:
    return "auditor"


@pytest.fixture
def session(ground: Ground, role: Role) -> Iterator[psycopg.Connection]:
    """As with psql: a connection of the reader's own."""
    with psycopg.connect(ground.dsn(LOGINS[role])) as conn:
        conn.execute("set client_min_messages = warning")
        conn.commit()
        yield conn
        conn.rollback()


def seen(conn: psycopg.Connection, role: Role) -> set[UUID]:
    """Whose rows a session sees, in all tables that it may ask at all."""
    found: set[UUID] = set()
    for table in RIGHTS:
        if "select" in scopes(table, role):
            query = sql.SQL("select tenant_id from {}").format(named(table))
            found |= {tenant_id for (tenant_id,) in conn.execute(query)}
    return found


# What a session may try; each may be refused or not, and shows nothing more.
TRICKS: list[LiteralString] = [
    "set app.tenant_id = '00000000-0000-0000-0000-00000000000b'",
    "set role booking_auditor",
    "set role booking_analyst",
    "set role booking_api",
    "set role booking_background",
    "set role booking_projector",
    "set role booking_owner",
    "set role booking_runtime",
    "set role booking_migrator",
    "set role postgres",
    "set role isolated_other_auditor",
    "set session authorization isolated_other_auditor",
    "set session authorization isolated_other_analyst",
    "set session authorization booking_runtime",
    "set session authorization postgres",
    "set session authorization default",
    "reset session authorization",
    "select set_config('session_authorization', 'isolated_other_analyst', false)",
    "select set_config('is_superuser', 'on', false)",
    "set session_replication_role = replica",
    "grant booking_api to current_user",
    "grant isolated_other_auditor to current_user",
    "alter role current_user superuser",
    "alter role current_user bypassrls",
    "alter table booking.event disable row level security",
    "create policy all_of_it on booking.event for select to public using (true)",
    "drop policy auditor_own_tenants on booking.event",
    """
    insert into booking.reader_login (tenant_id, login, role)
    values ('00000000-0000-0000-0000-00000000000b', session_user, 'auditor')
    """,
    "update booking.reader_login set tenant_id = '00000000-0000-0000-0000-00000000000b'",
    """
    create temp table reader_login (tenant_id uuid, login name, role text);
    insert into reader_login
    values ('00000000-0000-0000-0000-00000000000b', session_user, 'auditor'),
           ('00000000-0000-0000-0000-00000000000b', session_user, 'analyst');
    set search_path = pg_temp, booking
    """,
    """
    create function pg_temp.always(name, name) returns bool language sql as 'select true';
    create operator pg_temp.= (leftarg = name, rightarg = name, function = pg_temp.always);
    set search_path = pg_temp, booking, pg_catalog
    """,
    """
    create function pg_temp.always(uuid, uuid) returns bool language sql as 'select true';
    create operator pg_temp.= (leftarg = uuid, rightarg = uuid, function = pg_temp.always);
    set search_path = pg_temp, booking, pg_catalog
    """,
    """
    create function pg_temp.current_tenant() returns uuid
    return '00000000-0000-0000-0000-00000000000b'::uuid;
    set search_path = pg_temp, booking, pg_catalog
    """,
]


@READERS
@pytest.mark.usefixtures("role")
def test_no_setting_of_a_session_shows_it_more(session: psycopg.Connection, role: Role) -> None:
    assert seen(session, role) == {OURS.tenant_id}
    for trick in TRICKS:
        with session.transaction(force_rollback=True):
            try:
                with session.transaction():
                    session.execute(trick)
            except psycopg.errors.InsufficientPrivilege:
                pass  # the common end of it; what matters is what is seen after
            except psycopg.errors.CantChangeRuntimeParam:
                pass  # is_superuser is told, and not set
            try:
                with session.transaction():
                    assert seen(session, role) <= {OURS.tenant_id}, trick
            except psycopg.errors.InsufficientPrivilege:
                assert "set role" in trick or "session" in trick  # it has fewer rights now
    assert seen(session, role) == {OURS.tenant_id}


def test_row_security_off_is_an_error_and_no_way_round(session: psycopg.Connection) -> None:
    session.execute("set row_security = off")
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
        session.execute("select from booking.event")


def test_a_copy_out_is_held_to_the_same_rows(session: psycopg.Connection) -> None:
    with session.cursor().copy("copy booking.event (tenant_id) to stdout") as copy:
        assert {row for (row,) in copy.rows()} == {str(OURS.tenant_id)}


def test_a_function_of_ones_own_is_shown_no_other_row(session: psycopg.Connection) -> None:
    """However cheap it claims to be, the policy is asked first."""
    overheard: list[str] = []
    session.add_notice_handler(lambda notice: overheard.append(notice.message_primary or ""))
    session.execute("set client_min_messages = notice")
    session.execute(
        """
        create function pg_temp.tell(uuid) returns bool language plpgsql cost 0.0000001 as
        $$ begin raise notice '%', $1; return true; end $$
        """
    )
    for table in ("event", "reservation", "tenant", "reader_login"):
        session.execute(f"select from booking.{table} where pg_temp.tell(tenant_id)".encode())
    assert {*overheard} == {str(OURS.tenant_id)}


def test_statistics_tell_nothing_of_the_tables(ground: Ground) -> None:
    with psycopg.connect(ground.dsn(SUPERUSER), autocommit=True) as owner:
        owner.execute("analyze booking.event, booking.reservation")
    with psycopg.connect(ground.dsn(OURS.auditor)) as session:
        query = "select from pg_stats where schemaname = 'booking'"
        assert session.execute(query).rowcount == 0


def test_an_auditor_tells_which_user_an_event_names_and_learns_no_name(
    ground: Ground,
) -> None:
    with psycopg.connect(ground.dsn(OURS.auditor), autocommit=True) as session:
        known = "select user_id, subject, role, removed_at from booking.person"
        assert session.execute(known).fetchall() == [(UUID(int=1), "user_1", "booker", None)]
        for hidden in (
            "select name from booking.person",
            "select from booking.person where email like 'a%'",
            "select name from booking.account",
            "select from booking.organisation",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                session.execute(hidden.encode())


def test_a_login_of_the_role_alone_sees_nothing(ground: Ground) -> None:
    for role, login in STRANGERS.items():
        with psycopg.connect(ground.dsn(login)) as conn:
            assert seen(conn, role) == set()


@READERS
def test_what_prepared_plans_show_ends_with_the_line(ground: Ground, role: Role) -> None:
    """The line is asked for in each statement, also in a plan that was made before it went."""
    login = LOGINS[role]
    with (
        psycopg.connect(ground.dsn(login), autocommit=True) as session,
        psycopg.connect(ground.database.owner_dsn, autocommit=True) as owner,
    ):
        session.execute("set plan_cache_mode = force_generic_plan")
        session.execute("prepare mine as select distinct tenant_id from booking.reservation")
        assert session.execute("execute mine").fetchall() == [(OURS.tenant_id,)]
        see = "update booking.reader_login set tenant_id = %s where login = %s and tenant_id = %s"
        gone = UUID(int=0xD)
        owner.execute(
            "insert into booking.tenant (tenant_id, slug, name) values (%s, 'gone', 'Gone')", [gone]
        )
        try:
            owner.execute(see, [gone, login, OURS.tenant_id])
            assert session.execute("execute mine").fetchall() == []
        finally:
            owner.execute(see, [OURS.tenant_id, login, gone])
            owner.execute("delete from booking.tenant where tenant_id = %s", [gone])
        assert session.execute("execute mine").fetchall() == [(OURS.tenant_id,)]


_MANY = """
    insert into booking.tenant (tenant_id, slug, name)
    select lpad(to_hex(t), 32, '0')::uuid, 'many-' || t, 'Many' from generate_series(256, 755) t;
    insert into booking.event
    select lpad(to_hex(t), 32, '0')::uuid, n, gen_random_uuid(), 1, '', '{}', '{}', now(), ''
      from generate_series(256, 755) t, generate_series(1, 20) n;
    analyze booking.event;
"""


def plan(conn: psycopg.Connection) -> str:
    conn.execute("select set_config('session_authorization', %s, true)", [OURS.auditor])
    lines = conn.execute("explain select count(*) from booking.event").fetchall()
    conn.execute("select set_config('session_authorization', %s, true)", [SUPERUSER])
    return "\n".join(line for (line,) in lines)


def test_a_reader_reaches_its_tenants_by_the_index(superuser: psycopg.Connection) -> None:
    superuser.execute(_MANY)

    assert "Index Cond: (tenant_id = ANY" in plan(superuser)

    superuser.execute(
        """
        alter policy auditor_own_tenants on booking.event using (tenant_id in (
            select mine.tenant_id from booking.reader_login mine
             where mine.login = session_user and mine.role = 'auditor'))
        """
    )
    assert "Seq Scan on event" in plan(superuser)  # which is why it is not said like that
