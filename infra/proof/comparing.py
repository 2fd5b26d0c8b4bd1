"""What is folded from the log, held against a fresh fold of it.

Each comparer tells how some projections of a tenant stand, whatever way it has to find that out;
whoever adds one to `COMPARERS` has it asked by `booking audit verify`.
"""

from collections.abc import Awaitable, Callable, Sequence

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from infra.projecting.comparing import asynchronous_standings
from infra.rebuilding import Standing, Tenant, standings
from projections.catalogue import INLINE

Comparer = Callable[[AsyncConnection[TupleRow], Tenant], Awaitable[Sequence[Standing]]]
"""Compares, on the owner's connection in autocommit; raises LogUnreadable where it cannot."""


async def inline_standings(conn: AsyncConnection[TupleRow], tenant: Tenant) -> Sequence[Standing]:
    """Compares the projections that are written with the events.

    Args:
        conn: of the tables' owner, in autocommit.
        tenant: whose.

    Raises:
        LogUnreadable: the log lacks an event, or has one that cannot be read.
    """
    return await standings(conn, tenant, [*INLINE.values()])


COMPARERS: tuple[Comparer, ...] = (inline_standings, asynchronous_standings)
