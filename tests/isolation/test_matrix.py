"""Every role reaches of every table what is declared, and every policy is needed for that."""

from typing import LiteralString

import psycopg
import pytest

from tests.isolation.matrix import Matrix, declared_tables
from tests.isolation.rights import ROLES, scopes
from tests.isolation.rows import ROWS

_POLICIES = """
    select polname, polrelid::regclass::text, relname,
           coalesce(pg_get_expr(polqual, polrelid), 'true') <> 'true' as tells_rows_apart,
           polcmd in ('*', 'a', 'w') and exists (
               select from unnest(polroles) role
                where has_any_column_privilege(role, polrelid, 'insert, update')) as writes
      from pg_policy join pg_class c on c.oid = polrelid
     order by 2, 1
"""
_GRANTED = """
    select distinct lower(privilege_type)
      from pg_temp.our_grants
     where name = %s and grantee::regrole::text = 'booking_' || %s
"""


def test_every_table_is_declared_and_has_a_row_of_each_tenant(matrix: Matrix) -> None:
    assert matrix.tables() == declared_tables()
    for table in ROWS:
        assert {place.whose for place in matrix.places(table)} == {"ours", "theirs"}, table


def test_what_is_granted_is_what_is_declared(matrix: Matrix, superuser: psycopg.Connection) -> None:
    for table in matrix.tables():
        for role in ROLES:
            granted = {name for (name,) in superuser.execute(_GRANTED, [table, role])}
            assert granted == {*scopes(table, role)}, (table, role)


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
    for name, table, relname, tells_rows_apart, writes in superuser.execute(_POLICIES).fetchall():
        if tells_rows_apart and (weakened == "using" or writes):
            tried += 1
            with superuser.transaction(force_rollback=True):
                superuser.execute(f'alter policy "{name}" on {table} {weakened} (true)'.encode())
                if next(matrix.differences([relname]), None) is None:
                    unmissed.append((name, table))
    assert tried
    assert unmissed == []
