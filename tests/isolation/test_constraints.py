"""No constraint tells a tenant anything of another, in what it refuses or how."""

from collections.abc import Mapping
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from tests.isolation.conftest import OURS, THEIRS
from tests.isolation.matrix import Matrix
from tests.isolation.rights import scopes

_AS_API = """
    select set_config('session_authorization', 'booking_runtime', true),
           set_config('role', 'booking_api', true), set_config('app.tenant_id', %s, true)
"""


def written_by_the_api(matrix: Matrix) -> list[str]:
    return [table for table in matrix.tables() if "insert" in scopes(table, "api")]


def put_in(conn: psycopg.Connection, table: str, row: Mapping[str, object]) -> None:
    put = sql.SQL("insert into {0} select * from jsonb_populate_record(null::{0}, %s)")
    conn.execute(put.format(sql.Identifier("booking", table)), [Jsonb(row)])


def their_row(matrix: Matrix, table: str) -> Mapping[str, object]:
    [row] = [place.values for place in matrix.places(table) if place.whose == "theirs"]
    return row


def test_what_another_tenant_has_is_still_free(
    matrix: Matrix, superuser: psycopg.Connection
) -> None:
    """A tenant takes for itself the very ids, keys and slots that another one has."""
    tables = written_by_the_api(matrix)
    assert len(tables) >= 5
    for table in tables:
        row = {**their_row(matrix, table), "tenant_id": str(OURS.tenant_id)}
        with superuser.transaction(force_rollback=True):
            mine = sql.SQL("delete from {} where tenant_id = %s")
            superuser.execute(mine.format(sql.Identifier("booking", table)), [OURS.tenant_id])
            superuser.execute(_AS_API, [str(OURS.tenant_id)])
            put_in(superuser, table, row)


def test_a_row_for_another_tenant_is_refused_alike_whether_it_is_there_or_not(
    matrix: Matrix, superuser: psycopg.Connection
) -> None:
    """The policy answers before any key does, so that its refusal is no answer."""

    def said(table: str, row: Mapping[str, object]) -> tuple[str | None, ...]:
        try:
            with superuser.transaction(force_rollback=True):
                superuser.execute(_AS_API, [str(OURS.tenant_id)])
                put_in(superuser, table, row)
        except psycopg.Error as error:
            diagnosis = error.diag
            return (
                diagnosis.sqlstate,
                diagnosis.message_primary,
                diagnosis.message_detail,
                diagnosis.constraint_name,
            )
        raise AssertionError(table)

    for table in written_by_the_api(matrix):
        there = their_row(matrix, table)
        nobody = {**there, "tenant_id": str(UUID(int=0xC))}
        assert there["tenant_id"] == str(THEIRS.tenant_id)
        assert said(table, there) == said(table, nobody), table
        assert said(table, there)[0] == "42501"
