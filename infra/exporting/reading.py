"""The rows of an export, all of one moment, a page of them in memory at a time."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg.conninfo import make_conninfo

from domain.ids import TenantId
from infra.exporting.contents import Contents, Row
from infra.exporting.window import Window
from infra.postgres.role_check import Role, check_role

ROWS_AT_ONCE = 2000

_ROLE: Role = "booking_api"

# The bounds are of one page, and of the one who reads what is written: a pipe may be slow.
_BEGIN = """
select set_config('role', %(role)s, true),
       set_config('app.tenant_id', %(tenant_id)s, true),
       set_config('TimeZone', 'UTC', true),
       set_config('jit', 'off', true),
       set_config('statement_timeout', '60s', true),
       set_config('idle_in_transaction_session_timeout', '10min', true)
"""
_REACHED = """
select position, behind
  from analytics.freshness
 where tenant_id = %(tenant_id)s
   and projection = %(projection)s
"""
_HEAD = "select seq, 0 from booking.tenant_head where tenant_id = %(tenant_id)s"


class NotProjected(Exception):
    """There are no rows yet, because no projector has looked at this tenant; says what to do."""


@dataclass(frozen=True)
class Exported:
    """What is exported.

    Attributes:
        position: all is true as of this position of the log.
        behind: how many events have come after it.
        pages: the rows, in the order of their key; to be read once, inside the context.
    """

    position: int
    behind: int
    pages: Iterator[Sequence[Row]]


@contextmanager
def opened_export(
    dsn: str, contents: Contents, tenant_id: TenantId, window: Window
) -> Iterator[Exported]:
    """Reads what is to be exported of a tenant, kept to it by row-level security.

    Args:
        dsn: the runtime's connection string.
        contents: what.
        tenant_id: whose.
        window: from when to when.

    Yields:
        The rows. As long as they are read, the database keeps what they were at the beginning.

    Raises:
        NotProjected: no projector has made rows of this tenant's log.
        RoleUnsafe: the database would not keep tenants apart.
    """
    check_role(dsn, _ROLE)
    named = make_conninfo(dsn, application_name="booking export", connect_timeout=10)
    with psycopg.connect(named) as conn:
        conn.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        conn.read_only = True
        asked = {"tenant_id": tenant_id, "from": window.start, "to": window.end}
        conn.execute(_BEGIN, {"role": _ROLE, "tenant_id": str(tenant_id)})
        reached = conn.execute(
            _HEAD if contents.projection is None else _REACHED,
            {**asked, "projection": contents.projection},
        ).fetchone()
        if reached is None:
            raise NotProjected(
                f"The tenant has no rows of {contents.name} yet. Let `booking serve` or `booking "
                "projector` run for a moment; then try again."
            )
        with conn.cursor(contents.name) as cursor:
            cursor.execute(contents.query, asked)
            position, behind = reached
            yield Exported(position, behind, _pages(cursor, contents))


def _pages(cursor: psycopg.ServerCursor[Row], contents: Contents) -> Iterator[Sequence[Row]]:
    while page := cursor.fetchmany(ROWS_AT_ONCE):
        yield [contents.row(row) for row in page]
