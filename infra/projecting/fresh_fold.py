"""A fresh fold of a tenant's log: temporary tables, called as the real ones are, and filled anew.

The projections themselves fill them, by the same statements, which name their tables without a
schema. Meanwhile every transaction is read-only, which allows writing to temporary tables alone: a
statement that meant a real one would fail.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import psycopg
from psycopg import AsyncConnection, sql
from psycopg.rows import TupleRow

from infra.projecting.settings import TEMPORARY_TABLES, set_for_projecting
from infra.projecting.step import EVENTS_AT_ONCE
from infra.projecting.tail import read_page
from infra.rebuilding import LogUnreadable, Tenant
from projections.asynchronous import Batch, Projection

_MAKE = sql.SQL("create temporary table {table} (like booking.{table} including all)")
_DROP = sql.SQL("drop table if exists pg_temp.{table}")

# A copied key gets a name by the server's rule; `on conflict on constraint` calls it by its own.
_KEYS = """
select copied.conname, original.conname
  from pg_constraint original
  join pg_constraint copied
    on copied.contype = original.contype and copied.conkey = original.conkey
 where original.conrelid = format('booking.%%I', %(table)s::text)::regclass
   and copied.conrelid = format('pg_temp.%%I', %(table)s::text)::regclass
   and original.contype in ('p', 'u')
   and copied.conname <> original.conname
"""
_RENAME = sql.SQL("alter table pg_temp.{table} rename constraint {copied} to {original}")

# Nobody does it unasked to temporary tables. A planner that takes them for empty reads them whole.
_ANALYSE = sql.SQL("analyze pg_temp.{table}")

_NOT_OF_THE_LOG = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.errors.InsufficientPrivilege,
)


FRESH = 0
"""The generation of the rows of a fresh fold: no build has it."""


@dataclass(slots=True)
class FreshFold:
    """A projection that is folded anew.

    Attributes:
        projection: which, as the version of the code that built what it is compared with.
        position: the last event that is in its rows.
        until: the last event that shall be.
        analysed: the last event that was when the planner last learned how large its tables are.
    """

    projection: Projection
    position: int = 0
    until: int = 0
    analysed: int = 0


@asynccontextmanager
async def temporary_tables(
    conn: AsyncConnection[TupleRow], tables: Sequence[str]
) -> AsyncIterator[None]:
    """Have empty tables of the same names, which only this connection sees.

    Args:
        conn: of the tables' owner, in autocommit.
        tables: their names, in the schema booking.

    Yields:
        While they are there.
    """
    async with conn.transaction():
        for table in tables:
            await _make(conn, table)
    try:
        yield
    finally:
        if not conn.broken:  # else they are gone with it
            for table in tables:
                await conn.execute(_DROP.format(table=sql.Identifier(table)))


async def _make(conn: AsyncConnection[TupleRow], table: str) -> None:
    name = sql.Identifier(table)
    await conn.execute(_MAKE.format(table=name))
    keys = await conn.execute(_KEYS, {"table": table})
    for copied, original in await keys.fetchall():
        await conn.execute(
            _RENAME.format(
                table=name, copied=sql.Identifier(copied), original=sql.Identifier(original)
            )
        )


async def fold_page(
    conn: AsyncConnection[TupleRow], tenant: Tenant, folds: Sequence[FreshFold]
) -> bool:
    """Fold one page of the log, into those that are farthest behind.

    Args:
        conn: in a read-only transaction, with the temporary tables.
        tenant: whose log.
        folds: into what; their positions are moved.

    Returns:
        Whether anything was left to fold.

    Raises:
        LogUnreadable: the log lacks an event, or has one that cannot be applied.
    """
    behind = [each for each in folds if each.position < each.until]
    if not behind:
        return False
    after = min(each.position for each in behind)
    together = [each for each in behind if each.position == after]
    until = min(after + EVENTS_AT_ONCE, *(each.until for each in together))
    await set_for_projecting(conn, TEMPORARY_TABLES)
    try:
        await _fold_until(until, conn, tenant, together)
    except _NOT_OF_THE_LOG:
        raise
    except Exception as error:
        raise LogUnreadable(
            f"The log of {tenant.slug!r} cannot be folded after position {after}: "
            f"{type(error).__name__}. Does it lack an event, or was it written by a later version "
            "of this program? Then use that one. Nothing was changed."
        ) from error
    return True


async def _fold_until(
    until: int, conn: AsyncConnection[TupleRow], tenant: Tenant, together: Sequence[FreshFold]
) -> None:
    after = together[0].position
    events = await read_page(conn, tenant.tenant_id, after, until - after)
    if len(events) < until - after:
        raise LookupError("it ends before what the projection has of it")
    for each in together:
        if chosen := each.projection.chosen(events):
            await each.projection.apply(Batch(conn, tenant.tenant_id, FRESH, chosen))
        each.position = until
        if each.position >= 2 * each.analysed:
            await _analyse(conn, each)


async def _analyse(conn: AsyncConnection[TupleRow], folded: FreshFold) -> None:
    for table in folded.projection.tables:
        await conn.execute(_ANALYSE.format(table=sql.Identifier(table)))
    folded.analysed = folded.position
