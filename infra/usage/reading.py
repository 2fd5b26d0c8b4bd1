"""Reads what a tenant has used, by day."""

from dataclasses import dataclass
from datetime import date

from psycopg import AsyncConnection
from psycopg.rows import TupleRow, class_row

from domain.ids import TenantId

_READ = """
    select day, commands, events, queries, seconds, refused
      from booking.usage
     where tenant_id = %s and day >= %s and day < %s
     order by day
"""


@dataclass(frozen=True, slots=True)
class UsageDay:
    """One day's figures; see `Tally`.

    Attributes:
        day: in UTC.
        commands: that were asked for.
        events: that were appended.
        queries: requests that read.
        seconds: that requests were under way.
        refused: requests turned away by a rate limit.
    """

    day: date
    commands: int
    events: int
    queries: int
    seconds: float
    refused: int


async def read_usage(
    conn: AsyncConnection[TupleRow], tenant_id: TenantId, start: date, end: date
) -> list[UsageDay]:
    """Read a tenant's figures of the days on which there was any use.

    Args:
        conn: speaks for the tenant.
        tenant_id: whose.
        start: the first day.
        end: the day after the last.
    """
    cursor = conn.cursor(row_factory=class_row(UsageDay))
    await cursor.execute(_READ, [tenant_id, start, end])
    return await cursor.fetchall()
