"""The connection that checks and rebuilds: the owner's, since it is maintenance and not service.

No runtime role may delete a resource, or see every tenant's log, and none is given it for this.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from infra.rebuilding.errors import NotTheOwner

# Row-level security off: for whoever it binds that is an error, where it would else hide rows in
# silence and make what is hidden look missing. The server looks every second whether this program
# is still there: killed while it waits for a lock, it would else keep the tenant's head meanwhile.
_SETTINGS = """
select set_config('TimeZone', 'UTC', false),
       set_config('row_security', 'off', false),
       set_config('jit', 'off', false),
       set_config('lock_timeout', '2s', false),
       set_config('statement_timeout', '60s', false),
       set_config('idle_in_transaction_session_timeout', '30s', false),
       case when version() like '%linux%'
            then set_config('client_connection_check_interval', '1s', false) end
"""


@asynccontextmanager
async def owner_session(dsn: str) -> AsyncIterator[AsyncConnection[TupleRow]]:
    """Connect, with a bound on every wait.

    Args:
        dsn: the owner's connection string, straight to the server (not through a transaction pool).

    Yields:
        A connection in autocommit.

    Raises:
        NotTheOwner: what was done with it would have been subject to row-level security.
        psycopg.OperationalError: the server cannot be reached.
    """
    async with await AsyncConnection.connect(
        dsn, autocommit=True, application_name="booking project", connect_timeout=10
    ) as conn:
        await conn.execute(_SETTINGS)
        try:
            yield conn
        except psycopg.errors.InsufficientPrivilege as error:
            raise NotTheOwner(
                f"The login {conn.info.user!r} may not do this: {error.diag.message_primary}. "
                "Let MIGRATION_DATABASE_URL log in as the owner of the schema booking."
            ) from error
