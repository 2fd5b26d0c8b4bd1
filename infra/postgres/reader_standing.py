"""Whether a login may be a reader: one that could see more by another way may not."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import psycopg
from psycopg.rows import class_row

from infra.postgres.role_check import READER_ROLES, ROLES

ReaderRole = Literal["auditor", "analyst"]

# Who is one of these sees what no policy for readers shows, or what no policy is asked about.
_SEE_MORE = (
    "booking_owner",
    *ROLES,
    "pg_execute_server_program",
    "pg_read_server_files",
    "pg_write_server_files",
)
_STANDING = """
    SELECT rolname::text AS login, current_database()::text AS database,
           rolcanlogin AS logs_in, rolsuper AS superuser, rolbypassrls AS bypasses,
           rolcreaterole AS makes_roles, rolreplication AS replicates,
           has_database_privilege(oid, current_database(), 'CONNECT') AS connects,
           ARRAY(SELECT r.rolname::text FROM pg_roles r
                 WHERE r.rolname = ANY (%(telling)s) AND pg_has_role(one.oid, r.oid, 'MEMBER')
                 ORDER BY r.rolname) AS holds,
           (SELECT c.relname::text FROM pg_class c
            WHERE c.relnamespace = 'booking'::regnamespace
              AND pg_has_role(one.oid, c.relowner, 'MEMBER')
            ORDER BY c.relname LIMIT 1) AS owned,
           rolinherit AS inherits,
           current_setting('server_version_num')::int >= 160000 AS inheritance_is_granted
    FROM pg_roles one
    WHERE rolname = %(login)s
"""


@dataclass(frozen=True)
class ReaderStanding:
    """What the server says of a login.

    Attributes:
        login: its name.
        database: that of the connection.
        logs_in: it is a login, and not a set of rights.
        superuser: no policy binds it.
        bypasses: nor this one.
        makes_roles: in PostgreSQL 15, it could take any role.
        replicates: it may have everything that is written sent to it.
        connects: it is let into the database.
        holds: the roles that matter here and that it is a member of, in whatever way.
        owned: a relation of the schema that it owns, itself or as a member.
        inherits: it has the rights of its roles, unless a membership says for itself.
        inheritance_is_granted: each membership does, from PostgreSQL 16 on.
    """

    login: str
    database: str
    logs_in: bool
    superuser: bool
    bypasses: bool
    makes_roles: bool
    replicates: bool
    connects: bool
    holds: list[str]
    owned: str | None
    inherits: bool
    inheritance_is_granted: bool

    def faults(self, role: ReaderRole) -> list[str]:
        """Say what keeps the login from being a reader.

        Args:
            role: what it would be, or is.

        Returns:
            A sentence for each reason, with what to do; none if it may be one.
        """
        if self.superuser:  # who also counts as a member of every role
            return [f"{self.login!r} is a superuser, whom no policy binds. Take another login."]
        return [*self._attribute_faults(), *self._membership_faults(role)]

    def _attribute_faults(self) -> Iterator[str]:
        if not self.logs_in:
            yield f"{self.login!r} does not log in, and a reader is known by the login. Name that."
        alter = f'As a superuser, run: ALTER ROLE "{self.login}"'
        if self.bypasses:
            yield f"{self.login!r} passes by row-level security. {alter} NOBYPASSRLS;"
        if self.makes_roles:
            yield f"{self.login!r} makes roles, and could take any. {alter} NOCREATEROLE;"
        if self.replicates:
            yield f"{self.login!r} may replicate everything. {alter} NOREPLICATION;"
        if not self.inherits and not self.inheritance_is_granted:
            yield f"{self.login!r} does not have the rights of its roles. {alter} INHERIT;"
        if not self.connects:
            yield (
                f"{self.login!r} is not let into the database. As its owner, run: "
                f'GRANT CONNECT ON DATABASE "{self.database}" TO "{self.login}";'
            )

    def _membership_faults(self, role: ReaderRole) -> Iterator[str]:
        for held in self.holds:
            if held != f"booking_{role}":
                yield (
                    f"{self.login!r} is a member of {held}, and would see what both roles show. "
                    f'Take another login, or run: REVOKE {held} FROM "{self.login}";'
                )
        if self.owned is not None and "booking_owner" not in self.holds:
            yield (
                f"{self.login!r} owns booking.{self.owned} or is a member of its owner. "
                "Take another login."
            )


def reader_standing(conn: psycopg.Connection, login: str) -> ReaderStanding | None:
    """Ask the server about a login.

    Args:
        conn: a connection of the login that migrates.
        login: its name.

    Returns:
        What it says; None if there is no such login.
    """
    telling = [*_SEE_MORE, *READER_ROLES]
    cursor = conn.cursor(row_factory=class_row(ReaderStanding))
    return cursor.execute(_STANDING, {"login": login, "telling": telling}).fetchone()
