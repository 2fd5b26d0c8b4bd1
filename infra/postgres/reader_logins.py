"""Who reads the database itself, with psql or a BI tool: a login of their own, mapped to tenants.

A login gets the rights of `booking_auditor` or `booking_analyst`, and lines in
`booking.reader_login`; the policies show it the tenants of its lines. What it sees hangs on
`session_user`, so nothing that its session sets changes it. A login that could see more by another
way is refused.

Roles are the whole server's, the lines are this database's: a role is taken from a login with its
last line here, even if another database of the server maps it too. There it then sees nothing.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from domain.ids import TenantId
from infra.postgres.reader_standing import ReaderRole, reader_standing

CONNECTIONS = 20  # of a login that is made here, at once: a tool's pool must not take the engine's
STATEMENT_TIMEOUT = {"auditor": "60s", "analyst": "30s"}
IDLE_TIMEOUT = "60s"  # in a transaction, whose snapshot and locks others pay for
LONGEST_NAME = 63  # bytes; PostgreSQL cuts off the rest

_MAP = """
    INSERT INTO booking.reader_login (tenant_id, login, role) VALUES (%s, %s, %s)
    ON CONFLICT ON CONSTRAINT reader_login_pk DO NOTHING
"""
_LIST = """
    SELECT t.slug AS tenant, r.login::text, r.role, r.granted_at
    FROM booking.reader_login r JOIN booking.tenant t USING (tenant_id)
    ORDER BY r.login, t.slug
"""


class ReaderRefused(Exception):
    """A login may not read, or cannot be made or changed; the message says why, and what to do."""


@dataclass(frozen=True)
class Granted:
    """What came of a grant.

    Attributes:
        made: whether the login was made for it.
        password: of the login that was made, if it got one; nobody can find it out again.
        unbounded: what to run as a superuser to bound the login's statements, where the connection
            may not change this login.
    """

    made: bool
    password: str | None
    unbounded: str | None


@dataclass(frozen=True)
class ReaderLogin:
    """A line of `booking.reader_login`, as it stands.

    Attributes:
        tenant: the slug of the tenant that is seen.
        login: who sees it.
        role: what of it.
        granted_at: since when.
        faults: why it would be refused today; empty if all is well.
    """

    tenant: str
    login: str
    role: ReaderRole
    granted_at: datetime
    faults: tuple[str, ...]


def grant_reader(
    conn: psycopg.Connection,
    tenant_id: TenantId,
    login: str,
    role: ReaderRole,
    *,
    with_password: bool = True,
) -> Granted:
    """Let a login see a tenant; make the login if there is none of this name.

    Args:
        conn: a connection of the login that migrates.
        tenant_id: what is to be seen.
        login: who is to see it.
        role: what of it: an analyst the projections, an auditor the log too.
        with_password: whether a login that is made gets a password; without one, the server's
            configuration must let it in another way.

    Returns:
        What came of it.

    Raises:
        ReaderRefused: the login could see more by another way, or cannot be made or granted this.
    """
    if not login or len(login.encode()) > LONGEST_NAME or "\x00" in login:
        raise ReaderRefused(f"A login's name has 1 to {LONGEST_NAME} bytes. Take a shorter one.")
    with conn.transaction():
        # Two grants for one login at once must not each find that it holds no role yet.
        conn.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"reader {login}"])
        password = secrets.token_urlsafe(24) if with_password else None
        made = reader_standing(conn, login) is None
        if made:
            _make_login(conn, login, password)
        standing = reader_standing(conn, login)
        if standing is None:
            raise ReaderRefused(f"The login {login!r} was dropped at this moment. Grant again.")
        if faults := standing.faults(role):
            raise ReaderRefused("\n".join(faults))
        if f"booking_{role}" not in standing.holds:
            # Lines of another login of this name, who is gone, must not come back to life.
            conn.execute("DELETE FROM booking.reader_login WHERE login = %s", [login])
            _grant_role(conn, login, role, says_inherit=standing.inheritance_is_granted)
        conn.execute(_MAP, [tenant_id, login, role])
        unbounded = _bound(conn, login, role)
    return Granted(made, password if made else None, unbounded)


def revoke_reader(conn: psycopg.Connection, tenant_id: TenantId, login: str) -> None:
    """Let a login see a tenant no more; the login stays, and with its last tenant loses its role.

    Args:
        conn: a connection of the login that migrates.
        tenant_id: what was seen.
        login: who saw it.

    Raises:
        ReaderRefused: it did not see it.
    """
    with conn.transaction():
        gone = conn.execute(
            "DELETE FROM booking.reader_login WHERE tenant_id = %s AND login = %s RETURNING role",
            [tenant_id, login],
        ).fetchone()
        if gone is None:
            raise ReaderRefused(
                f"{login!r} does not read this tenant. See who does: booking analyst list"
            )
        left = conn.execute("SELECT FROM booking.reader_login WHERE login = %s", [login]).rowcount
        if not left and reader_standing(conn, login) is not None:
            revoke = sql.SQL("REVOKE {} FROM {}")
            role = sql.Identifier(f"booking_{gone[0]}")
            try:
                conn.execute(revoke.format(role, sql.Identifier(login)))
            except psycopg.errors.InsufficientPrivilege as error:
                raise _may_not_hand_out(conn, gone[0]) from error


def reader_logins(conn: psycopg.Connection) -> list[ReaderLogin]:
    """List who reads which tenant, and whether each would still be let.

    Args:
        conn: a connection of the login that migrates.

    Returns:
        The lines, by login and tenant.
    """
    found: list[ReaderLogin] = []
    lines = conn.cursor(row_factory=class_row(_Line))
    for line in lines.execute(_LIST).fetchall():
        standing = reader_standing(conn, line.login)
        faults = (
            [f"There is no login {line.login!r} any more."]
            if standing is None
            else standing.faults(line.role)
        )
        found.append(
            ReaderLogin(line.tenant, line.login, line.role, line.granted_at, tuple(faults))
        )
    return found


@dataclass(frozen=True)
class _Line:
    tenant: str
    login: str
    role: ReaderRole
    granted_at: datetime


def _make_login(conn: psycopg.Connection, login: str, password: str | None) -> None:
    make = sql.SQL("CREATE ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE CONNECTION LIMIT {}")
    statement = make.format(sql.Identifier(login), sql.Literal(CONNECTIONS))
    if password is not None:
        # What is sent proves the password and is not it: no log of statements gives it away.
        proof = conn.pgconn.encrypt_password(password.encode(), login.encode(), b"scram-sha-256")
        statement += sql.SQL(" PASSWORD {}").format(sql.Literal(proof.decode()))
    try:
        with conn.transaction():
            conn.execute(statement)
    except (
        psycopg.errors.DuplicateObject,  # made by somebody else at this moment
        psycopg.errors.InsufficientPrivilege,
        psycopg.errors.ReservedName,
        psycopg.errors.UniqueViolation,
    ) as error:
        raise ReaderRefused(
            f"The login {login!r} cannot be made: {error.diag.message_primary}. Take another name, "
            "or have a superuser make it; then grant again."
        ) from error


def _grant_role(
    conn: psycopg.Connection, login: str, role: ReaderRole, *, says_inherit: bool
) -> None:
    how = "WITH INHERIT TRUE, SET FALSE" if says_inherit else ""
    grant = sql.SQL("GRANT {} TO {} " + how)
    try:
        with conn.transaction():
            conn.execute(grant.format(sql.Identifier(f"booking_{role}"), sql.Identifier(login)))
    except psycopg.errors.InsufficientPrivilege as error:
        raise _may_not_hand_out(conn, role) from error


def _may_not_hand_out(conn: psycopg.Connection, role: ReaderRole) -> ReaderRefused:
    return ReaderRefused(
        f"The login {conn.info.user!r} may not hand out booking_{role}, which another one made. As "
        f'a superuser, run: GRANT booking_{role} TO "{conn.info.user}" WITH ADMIN TRUE, '
        "INHERIT FALSE, SET FALSE; (in PostgreSQL 15, give it CREATEROLE)"
    )


def _bound(conn: psycopg.Connection, login: str, role: ReaderRole) -> str | None:
    """Bound a login's statements in this database; else say what a superuser is to run."""
    bound = sql.SQL(
        "ALTER ROLE {login} IN DATABASE {database} SET statement_timeout = {statement};"
        "ALTER ROLE {login} IN DATABASE {database}"
        " SET idle_in_transaction_session_timeout = {idle}"
    ).format(
        login=sql.Identifier(login),
        database=sql.Identifier(conn.info.dbname),
        statement=sql.Literal(STATEMENT_TIMEOUT[role]),
        idle=sql.Literal(IDLE_TIMEOUT),
    )
    try:
        with conn.transaction():
            conn.execute(bound)
    except psycopg.errors.InsufficientPrivilege:
        return bound.as_string(conn)
    return None
