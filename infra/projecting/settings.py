"""What the statements of projections need of their transaction."""

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

REAL_TABLES = "booking, pg_temp"
"""The tables of booking are meant, and no temporary one can come before them."""

TEMPORARY_TABLES = "pg_temp, booking"
"""Temporary tables are meant that are called as those of booking are."""

# A batch finds its rows by their keys; tables that have just begun to fill, or were never analysed,
# must not make the planner read them whole. A commit need not wait for the disk: should the server
# crash, rows and checkpoints go back together.
_SETTINGS = """
select set_config('search_path', %(search_path)s, true),
       set_config('synchronous_commit', 'off', true),
       set_config('jit', 'off', true),
       set_config('enable_seqscan', 'off', true),
       set_config('enable_bitmapscan', 'off', true),
       set_config('enable_hashjoin', 'off', true),
       set_config('enable_mergejoin', 'off', true)
"""


async def set_for_projecting(conn: AsyncConnection[TupleRow], search_path: str) -> None:
    """Let the rest of the transaction run the statements of projections.

    Args:
        conn: in a transaction.
        search_path: whose tables their names mean.
    """
    await conn.execute(_SETTINGS, {"search_path": search_path})
