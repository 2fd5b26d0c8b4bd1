"""What was done to an endpoint: the last few notices, for those who ask why nothing comes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import TupleRow, class_row

from domain.ids import TenantId

KEPT = 20
"""Of an endpoint."""

What = Literal["enabled", "disabled: requested", "disabled: gone", "disabled: failing"]
REQUESTED: What = "disabled: requested"

_NOTE = """
    insert into booking.webhook_notice (tenant_id, endpoint_id, notice)
    values (%(tenant_id)s, %(endpoint_id)s, %(notice)s)
"""
_FORGET = """
    delete from booking.webhook_notice
     where tenant_id = %(tenant_id)s
       and endpoint_id = %(endpoint_id)s
       and noticed_at in (
               select noticed_at
                 from booking.webhook_notice
                where tenant_id = %(tenant_id)s
                  and endpoint_id = %(endpoint_id)s
                order by noticed_at desc
               offset %(kept)s)
"""
_READ = """
    select noticed_at, notice
      from booking.webhook_notice
     where tenant_id = %(tenant_id)s and endpoint_id = %(endpoint_id)s
     order by noticed_at desc
     limit %(kept)s
"""


@dataclass(frozen=True, slots=True)
class Notice:
    """That something was done to an endpoint.

    Attributes:
        noticed_at: when.
        notice: what, and why.
    """

    noticed_at: datetime
    notice: What


async def note(
    conn: AsyncConnection[TupleRow], tenant_id: TenantId, endpoint_id: UUID, what: What
) -> None:
    """Keeps a notice.

    Args:
        conn: in the transaction in which it is done.
        tenant_id: whose endpoint.
        endpoint_id: which.
        what: was done.
    """
    which = {"tenant_id": tenant_id, "endpoint_id": endpoint_id}
    await conn.execute(_NOTE, {**which, "notice": what})
    await conn.execute(_FORGET, {**which, "kept": KEPT})


async def notices_of(
    conn: AsyncConnection[TupleRow], tenant_id: TenantId, endpoint_id: UUID
) -> Sequence[Notice]:
    """Reads the notices of an endpoint, the newest first.

    Args:
        conn: any that may read them.
        tenant_id: whose endpoint.
        endpoint_id: which.
    """
    async with conn.cursor(row_factory=class_row(Notice)) as cursor:
        await cursor.execute(
            _READ, {"tenant_id": tenant_id, "endpoint_id": endpoint_id, "kept": KEPT}
        )
        return await cursor.fetchall()
