"""Connections that have become a role without privileges, with a bound on every wait.

A pool of any other kind is refused: as an owner, a superuser or a role with BYPASSRLS the database
would no longer keep the tenants apart.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType
from uuid import UUID

import psycopg
from psycopg import AsyncConnection
from psycopg.conninfo import make_conninfo
from psycopg.rows import TupleRow
from psycopg.types.json import set_json_loads
from pydantic_core import from_json

from infra.errors import OutcomeUnknown, Overloaded
from infra.postgres.lending_pool import LendingPool, first_line
from infra.postgres.role_check import Role, check_role

Pool = LendingPool

_BECOME = """
    SELECT set_config('role', %(role)s, false),
           set_config('TimeZone', 'UTC', false),
           set_config('statement_timeout', %(statement)s, false),
           set_config('lock_timeout', %(lock)s, false),
           set_config('idle_in_transaction_session_timeout', %(idle)s, false)
"""

OPEN_SECONDS = 10.0
"""How long a pool's first connections may take; nobody is kept waiting for an answer then."""

_IN_A_SNAPSHOT = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_FOR_TENANT = "SELECT set_config('app.tenant_id', %s, true)"


@dataclass(frozen=True)
class Waits:
    """How long a connection may wait for what.

    Attributes:
        connection: for a connection, from the server or out of the pool.
        statement: for one statement.
        lock: for one lock.
        idle: for the program, while a transaction is open.
        lent: for the program to give it back; whatever it waits for then, it is hung up. More than
            `statement`, since it is for the case that the server does not end a statement itself.
    """

    connection: timedelta = timedelta(seconds=3)
    statement: timedelta = timedelta(seconds=10)
    lock: timedelta = timedelta(seconds=5)
    idle: timedelta = timedelta(seconds=30)
    lent: timedelta = timedelta(seconds=15)


WAITS: Mapping[Role, Waits] = MappingProxyType(
    {
        "booking_api": Waits(),
        # What works behind the tenants' backs keeps nobody waiting, and reads more at once.
        "booking_background": Waits(statement=timedelta(seconds=60), lent=timedelta(seconds=75)),
    }
)
"""The bounds of each role, where nothing else is asked for; a role without any has `Waits()`."""


@dataclass(frozen=True)
class _Session:
    """What every connection of a pool becomes before anybody uses it."""

    role: Role
    waits: Waits = field(default_factory=Waits)

    async def begin(self, conn: AsyncConnection[TupleRow]) -> None:
        set_json_loads(from_json, conn)  # in a third of the time of the standard library's
        await conn.execute(
            _BECOME,
            {
                "role": self.role,
                "statement": _milliseconds(self.waits.statement),
                "lock": _milliseconds(self.waits.lock),
                "idle": _milliseconds(self.waits.idle),
            },
        )


async def open_pool(
    dsn: str,
    *,
    role: Role,
    min_size: int = 1,
    max_size: int = 10,
    max_waiting: int = 0,
    waits: Waits | None = None,
) -> Pool:
    """Open a pool of connections in autocommit mode that have become `role`.

    Args:
        dsn: the runtime's connection string.
        role: what each connection becomes.
        min_size: connections kept open.
        max_size: connections at most.
        max_waiting: how many may wait for a connection; one more is refused at once with
            `psycopg_pool.TooManyRequests`. 0 for no bound.
        waits: how long to wait for what; else as `WAITS` has it.

    Returns:
        The pool, with its first connections made; close it with `await pool.close()`.

    Raises:
        RoleUnsafe: as that role the database would not keep tenants apart.
        psycopg.OperationalError: the server cannot be reached.
    """
    session = _Session(role, waits or WAITS.get(role, Waits()))
    dsn = _named(dsn, role, session.waits)
    # Once outside the pool, which would retry in the background and only report that time ran out.
    await asyncio.to_thread(check_role, dsn, role)
    pool = LendingPool(
        dsn,
        name=role,
        configure=session.begin,
        min_size=min_size,
        max_size=max_size,
        max_waiting=max_waiting,
        wait=session.waits.connection,
        lent=session.waits.lent,
    )
    await pool.open(wait=True, timeout=OPEN_SECONDS)
    return pool


@asynccontextmanager
async def borrowed(pool: Pool) -> AsyncIterator[AsyncConnection[TupleRow]]:
    """Have a connection for work that can be done again from its beginning.

    Args:
        pool: whose connection.

    Yields:
        It; the pool commits, or rolls back after an exception.

    Raises:
        Overloaded: none became free in time, or it was lost: doing it again may succeed.
    """
    try:
        async with pool.connection() as conn:
            yield conn
    except (
        psycopg.OperationalError,
        psycopg.InterfaceError,
        psycopg.errors.ReadOnlySqlTransaction,
    ) as error:
        pool.failed(first_line(error))
        raise Overloaded from error


@asynccontextmanager
async def reading(pool: Pool, tenant_id: UUID) -> AsyncIterator[AsyncConnection[TupleRow]]:
    """Read one tenant's data as of one moment: every statement inside sees the same.

    One round trip to begin, one to end.

    Args:
        pool: a pool of `booking_api`.
        tenant_id: whose rows are visible.

    Yields:
        A connection in a read-only transaction at REPEATABLE READ.

    Raises:
        Overloaded: no connection became free in time, or it was lost: reading again may succeed.
    """
    async with borrowed(pool) as conn:
        async with conn.pipeline():
            await conn.execute(_IN_A_SNAPSHOT)
            await set_tenant(conn, tenant_id)
        yield conn


@asynccontextmanager
async def writing(pool: Pool, tenant_id: UUID) -> AsyncIterator[AsyncConnection]:
    """Write one tenant's data in one transaction, beside the log.

    Args:
        pool: a pool of `booking_api`.
        tenant_id: whose rows are visible, and can be written.

    Yields:
        A connection in a transaction, committed at the end unless it failed.

    Raises:
        Overloaded: no connection became free in time, or it was lost: nothing was written.
        OutcomeUnknown: it was lost at the commit.
    """
    committing = False
    try:
        async with borrowed(pool) as conn, conn.transaction():
            await set_tenant(conn, tenant_id)
            yield conn
            committing = True
    except Overloaded as error:
        if committing:
            raise OutcomeUnknown from error
        raise


async def set_tenant(conn: AsyncConnection[TupleRow], tenant_id: UUID) -> None:
    """Let the rest of the transaction speak for one tenant.

    Args:
        conn: in a transaction; outside of one nothing would remain.
        tenant_id: whose rows are visible from here on.
    """
    await conn.execute(_FOR_TENANT, [str(tenant_id)])


def _named(dsn: str, role: Role, waits: Waits) -> str:
    seconds = max(2, int(waits.connection.total_seconds()))  # libpq takes 1 for 2
    return make_conninfo(dsn, application_name=role, connect_timeout=seconds)


def _milliseconds(time: timedelta) -> str:
    return str(int(time / timedelta(milliseconds=1)))
