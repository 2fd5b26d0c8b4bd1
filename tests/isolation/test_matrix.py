"""Every role reaches of every table what is declared, and every policy is needed for that."""

from typing import LiteralString

import psycopg
import pytest

from tests.isolation.matrix import Matrix, declared_tables
from tests.isolation.rights import BEYOND_TENANTS, ROLES, VIEWS, rights, scopes
from tests.isolation.rows import ROWS

# Decides on writing: it asks about a column that one of its roles may set. What no role may set is
# as it was when the row was found, or its default.
_POLICIES = """
    select polname, polrelid::regclass::text, relname,
           coalesce(pg_get_expr(polqual, polrelid), 'true') <> 'true' as tells_rows_apart,
           polcmd in ('*', 'a', 'w') and exists (
               select from unnest(polroles) role, pg_depend asked
                where asked.classid = 'pg_policy'::regclass and asked.objid = p.oid
                  and asked.refobjid = polrelid and asked.refobjsubid > 0
                  and has_column_privilege(role, polrelid, asked.refobjsubid::int2,
                                           'insert, update')) as decides_on_writing
      from pg_policy p join pg_class c on c.oid = polrelid
     order by 2, 1
"""
_GRANTED = """
    select distinct lower(privilege_type)
      from pg_temp.our_grants
     where name = %s and grantee::regrole::text = 'booking_' || %s
"""


def test_every_table_is_declared_and_has_a_row_of_each_tenant(matrix: Matrix) -> None:
    assert matrix.tables() == declared_tables()
    for table in (*ROWS, *VIEWS):
        expected = {"nobody's"} if table in BEYOND_TENANTS else {"ours", "theirs"}
        assert {place.whose for place in matrix.places(table)} == expected, table


def test_what_is_granted_is_what_is_declared(matrix: Matrix, superuser: psycopg.Connection) -> None:
    for table in matrix.tables():
        for role in ROLES:
            granted = {name for (name,) in superuser.execute(_GRANTED, [table, role])}
            assert granted == {*scopes(table, role)}, (table, role)


def test_the_columns_that_are_granted_are_those_declared(matrix: Matrix) -> None:
    for table in matrix.tables():
        everything = {*matrix.places(table)[0].values}
        for role in ROLES:
            declared = rights(table, role)
            for operation in ("select", "insert", "update"):
                right = declared.get(operation)
                expected = set() if right is None else right.columns or everything
                granted = {*matrix.columns(table, operation, f"booking_{role}")}
                assert granted == expected, (table, role, operation)


def test_a_column_more_than_declared_is_found_out(
    matrix: Matrix, superuser: psycopg.Connection
) -> None:
    superuser.execute("grant select (email) on booking.person to booking_auditor")
    with pytest.raises(AssertionError, match="'person', 'auditor', 'select'"):
        test_the_columns_that_are_granted_are_those_declared(matrix)


def test_what_is_reached_is_what_is_declared(matrix: Matrix) -> None:
    assert list(matrix.differences()) == []


def test_every_policy_that_is_dropped_is_missed(
    matrix: Matrix, superuser: psycopg.Connection
) -> None:
    policies = superuser.execute(_POLICIES).fetchall()
    assert len(policies) >= len(ROWS)
    unmissed = []
    for name, table, relname, _, _ in policies:
        with superuser.transaction(force_rollback=True):
            superuser.execute(f'drop policy "{name}" on {table}'.encode())
            if next(matrix.differences([relname]), None) is None:
                unmissed.append((name, table))
    assert unmissed == []


@pytest.mark.parametrize("weakened", ["using", "with check"])
def test_every_policy_that_lets_everything_through_is_found_out(
    matrix: Matrix, superuser: psycopg.Connection, weakened: LiteralString
) -> None:
    unmissed = []
    tried = 0
    for name, table, relname, tells_rows_apart, on_writing in superuser.execute(_POLICIES):
        if on_writing if weakened == "with check" else tells_rows_apart:
            tried += 1
            with superuser.transaction(force_rollback=True):
                superuser.execute(f'alter policy "{name}" on {table} {weakened} (true)'.encode())
                if next(matrix.differences([relname]), None) is None:
                    unmissed.append((name, table))
    assert tried
    assert unmissed == []
