"""Every operation of every role on every table and view: for one's tenant, for none, by a name.

What is reached is measured and compared with what `rights.py` declares. Statements are blind (no
WHERE), since a condition would also ask for the right to read, and its policy would hide a hole.
All on one connection of a superuser who becomes each login in turn, so that the catalogue can be
changed, tried and rolled back in one transaction.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

import psycopg
from psycopg import sql

from infra.postgres.embedded import RUNTIME, SUPERUSER
from tests.isolation.rights import (
    OPERATIONS,
    READERS,
    RIGHTS,
    ROLES,
    VIEWS,
    WITHOUT_TENANT,
    Operation,
    Role,
    Scope,
    scopes,
)
from tests.isolation.rows import Tenant

Try = Operation | Literal["give away"]
Reach = frozenset[str] | Literal["denied"]

OURS, THEIRS, NOBODYS = "ours", "theirs", "nobody's"
NOTHING: Reach = frozenset()

_TABLES = """
    select case nspname when 'booking' then '' else nspname || '.' end || relname
      from pg_class join pg_namespace n on n.oid = relnamespace
     where (nspname = 'booking' or nspowner = 'booking_owner'::regrole)
       and relkind in ('r', 'p', 'v')
     order by 1
"""
_COLUMNS = """
    select attname, has_column_privilege(%(role)s, attrelid, attnum, %(privilege)s)
      from pg_attribute
     where attrelid = to_regclass(%(table)s) and attnum > 0 and not attisdropped
     order by attnum
"""
_BECOME = """
    select set_config('session_authorization', %s, true), set_config('role', %s, true)
"""


@dataclass(frozen=True)
class Voice:
    """Who speaks.

    Attributes:
        role: whose rights are tried; None for a login that has become nobody yet.
        login: who has logged in.
        speaks: for our tenant, for none, or for none but with the names of our rows.
        settings: what the session has set to say so.
    """

    role: Role | None
    login: str
    speaks: Literal["for its tenant", "for none", "by name"]
    settings: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.role or self.login} speaking {self.speaks}"


@dataclass(frozen=True)
class Place:
    """A row before anything was tried: whose, where it lies, and what it says."""

    whose: str
    ctid: str
    text: str
    values: Mapping[str, object]


@dataclass(frozen=True)
class Matrix:
    """The database of the test, with a row of each tenant in every table.

    Attributes:
        conn: a superuser's, in a transaction.
        ours: the tenant that is spoken for.
        theirs: the other one.
        strangers: logins of the readers' roles that are mapped to no tenant, by role.
    """

    conn: psycopg.Connection
    ours: Tenant
    theirs: Tenant
    strangers: Mapping[Role, str]

    def tables(self) -> list[str]:
        return [name for (name,) in self.conn.execute(_TABLES)]

    def columns(self, table: str, privilege: str, role: str) -> list[str]:
        """The columns of a table that a role of the server has a privilege on."""
        asked = {
            "role": role,
            "privilege": privilege,
            "table": named(table).as_string(self.conn),
        }
        return [name for name, granted in self.conn.execute(_COLUMNS, asked) if granted]

    def voices(self) -> Iterator[Voice]:
        yield Voice(None, RUNTIME, "for its tenant", self._tenant())
        for role in ROLES:
            if role in READERS:
                # Its setting is another tenant's: no reader's session says whom it speaks for.
                lie = {"app.tenant_id": str(self.theirs.tenant_id), **self.theirs.names}
                login = {"auditor": self.ours.auditor, "analyst": self.ours.analyst}[role]
                yield Voice(role, login, "for its tenant", lie)
                yield Voice(role, self.strangers[role], "for none", self._tenant())
            else:
                yield Voice(role, RUNTIME, "for its tenant", self._tenant())
                yield Voice(role, RUNTIME, "for none")
                yield Voice(role, RUNTIME, "by name", self.ours.names)

    def differences(self, tables: list[str] | None = None) -> Iterator[str]:
        """Say where what is reached is not what is declared.

        Args:
            tables: which to try; without them, all there are.
        """
        for table in self.tables() if tables is None else tables:
            places = self.places(table)
            for voice in self.voices():
                for what, expected in self._expected(table, voice, places):
                    reached = self.reach(table, what, voice, places)
                    if reached != expected:
                        yield (
                            f"{voice}, {what} {table}: reaches {_said(reached)}, "
                            f"declared is {_said(expected)}"
                        )

    def places(self, table: str) -> list[Place]:
        """The rows of a table, as whoever sees all."""
        with self.conn.transaction(force_rollback=True):
            query = sql.SQL("select {}, to_jsonb(r)::text, to_jsonb(r) from {} r")
            lies = sql.SQL("''" if table in VIEWS else "ctid::text")
            whose = {str(self.ours.tenant_id): OURS, str(self.theirs.tenant_id): THEIRS}
            return [
                Place(whose.get(str(values.get("tenant_id")), NOBODYS), ctid, text, values)
                for ctid, text, values in self.conn.execute(query.format(lies, named(table)))
            ]

    def reach(self, table: str, what: Try, voice: Voice, places: list[Place]) -> Reach:
        """Whose rows a voice reaches with an operation; afterwards all is as it was."""
        try:
            with self.conn.transaction(force_rollback=True):
                self._become(voice)
                match what:
                    case "select":
                        return self._selected(table)
                    case "insert":
                        return self._inserted(table, voice, places)
                    case "update" | "delete":
                        return self._changed(table, what, voice, places)
                    case "give away":
                        return self._given_away(table)
        except psycopg.errors.InsufficientPrivilege as error:
            return _refused(error)
        except psycopg.errors.ObjectNotInPrerequisiteState:
            return "denied"  # a view of several tables takes no writing from anybody

    # -- What is tried ---------------------------------------------------------------------------

    def _selected(self, table: str) -> Reach:
        if table in WITHOUT_TENANT:
            query = sql.SQL("select 1 from {}").format(named(table))
            return frozenset({NOBODYS} if self.conn.execute(query).fetchall() else ())
        query = sql.SQL("select distinct tenant_id from {}").format(named(table))
        whose = {self.ours.tenant_id: OURS, self.theirs.tenant_id: THEIRS}
        return frozenset(whose[tenant_id] for (tenant_id,) in self.conn.execute(query))

    def _inserted(self, table: str, voice: Voice, places: list[Place]) -> Reach:
        """Put in a copy of each row: whatever a key then says, the policies had let it in."""
        columns = sql.SQL(", ").join(
            map(sql.Identifier, self._columns(table, "insert", voice) or places[0].values)
        )
        copy = sql.SQL(
            "insert into {table} ({columns})"
            " select {columns} from jsonb_populate_record(null::{table}, %s::jsonb)"
        ).format(table=named(table), columns=columns)
        reached = set()
        for place in places:
            try:
                with self.conn.transaction(force_rollback=True):
                    self.conn.execute(copy, [place.text])
            except (psycopg.errors.UniqueViolation, psycopg.errors.ExclusionViolation):
                pass
            except psycopg.errors.InsufficientPrivilege as error:
                if _refused(error) == "denied":
                    raise
                continue
            reached.add(place.whose)
        return frozenset(reached)

    def _changed(
        self, table: str, what: Literal["update", "delete"], voice: Voice, places: list[Place]
    ) -> Reach:
        """Change or delete all that can be, and see as a superuser which rows lie there no more."""
        if what == "delete":
            self.conn.execute(sql.SQL("delete from {}").format(named(table)))
        else:
            column = self._updatable(table, voice, places)
            change = sql.SQL(
                "update {table} set {column} ="
                " (select {column} from jsonb_populate_record(null::{table}, %s::jsonb))"
            ).format(table=named(table), column=sql.Identifier(column))
            self.conn.execute(change, [places[0].text])
        self.conn.execute(_BECOME, [SUPERUSER, "none"])
        query = sql.SQL("select ctid::text from {}").format(named(table))
        left = {ctid for (ctid,) in self.conn.execute(query)}
        return frozenset(place.whose for place in places if place.ctid not in left)

    def _given_away(self, table: str) -> Reach:
        """Make our rows the other tenant's: what a policy says of rows as they become."""
        give = sql.SQL("update {} set tenant_id = %s").format(named(table))
        try:
            changed = self.conn.execute(give, [self.theirs.tenant_id]).rowcount
        except (psycopg.errors.UniqueViolation, psycopg.errors.ExclusionViolation):
            changed = 1  # only a key that the other tenant has already stood in the way
        return frozenset({THEIRS} if changed else ())

    # -- What is expected ------------------------------------------------------------------------

    def _expected(
        self, table: str, voice: Voice, places: list[Place]
    ) -> Iterator[tuple[Try, Reach]]:
        declared = scopes(table, voice.role) if voice.role is not None else {}
        everybody = frozenset(place.whose for place in places)
        for operation in OPERATIONS:
            yield operation, _expected(declared.get(operation), voice, everybody)
        if table not in WITHOUT_TENANT and declared.get("update") not in (None, "all"):
            moves = "tenant_id" in self._columns(table, "update", voice)
            yield "give away", NOTHING if moves else "denied"

    # -- Who, and what the catalogue says of them ------------------------------------------------

    def _become(self, voice: Voice) -> None:
        role = "none" if voice.role is None or voice.role in READERS else f"booking_{voice.role}"
        self.conn.execute(_BECOME, [voice.login, role])
        for setting, value in voice.settings.items():
            self.conn.execute("select set_config(%s, %s, true)", [setting, value])

    def _tenant(self) -> dict[str, str]:
        return {"app.tenant_id": str(self.ours.tenant_id)}

    def _columns(self, table: str, privilege: str, voice: Voice) -> list[str]:
        role = voice.login if voice.role is None else f"booking_{voice.role}"
        return self.columns(table, privilege, role)

    def _updatable(self, table: str, voice: Voice, places: list[Place]) -> str:
        """A column that the role may set, and that says the same in both rows if there is one."""
        granted = self._columns(table, "update", voice) or [*places[0].values]
        alike = [
            name
            for name in granted
            if name != "tenant_id" and len({str(place.values[name]) for place in places}) == 1
        ]
        return (alike or granted)[0]


def declared_tables() -> list[str]:
    return sorted(RIGHTS)


def _expected(scope: Scope | None, voice: Voice, everybody: frozenset[str]) -> Reach:
    match scope:
        case None:
            return "denied"
        case "all":
            return everybody
        case "own":
            return frozenset({OURS}) if voice.speaks == "for its tenant" else NOTHING
        case "named":
            return frozenset({OURS}) if voice.speaks == "by name" else NOTHING


def _refused(error: psycopg.errors.InsufficientPrivilege) -> Reach:
    """Tell a policy, which lets a row not in, from a right that is not granted at all."""
    return NOTHING if "row-level security" in str(error) else "denied"


def named(table: str) -> sql.Identifier:
    """A table or view by the name that it has in rights.py."""
    schema, _, name = table.rpartition(".")
    return sql.Identifier(schema or "booking", name)


def _said(reach: Reach) -> str:
    return reach if isinstance(reach, str) else ", ".join(sorted(reach)) or "nothing"
