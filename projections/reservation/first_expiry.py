"""When the first of the holds that occupy a resource within a window expires."""

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from domain.ids import ResourceId, TenantId
from domain.period import Period

# The claims are those that availability is made of, found the same way.
_FIRST = """
select extract(epoch from min(hold_expires_at) - statement_timestamp())::double precision
  from (
           select straddling.hold_expires_at
             from (select end_time, hold_expires_at
                     from booking.reservation
                    where tenant_id = %(tenant_id)s
                      and resource_id = %(resource_id)s
                      and start_time < %(from)s
                    order by start_time desc
                    limit 1) straddling
            where straddling.end_time > %(from)s
            union all
           select hold_expires_at
             from booking.reservation
            where tenant_id = %(tenant_id)s
              and resource_id = %(resource_id)s
              and start_time >= %(from)s
              and start_time < %(to)s
       ) shown
 where hold_expires_at > statement_timestamp()
"""


async def seconds_to_first_expiry(
    conn: AsyncConnection[TupleRow],
    *,
    tenant_id: TenantId,
    resource_id: ResourceId,
    window: Period,
) -> float | None:
    """Tell how long what is free stays so, if nothing happens but time passes.

    Asked before what is free, it is never told too long: the clock goes on between the two.

    Args:
        conn: inside a read-only transaction of the tenant.
        tenant_id: the tenant.
        resource_id: of its resources.
        window: holds outside of it do not count.

    Returns:
        Seconds until the first hold expires; None where none does.
    """
    cursor = await conn.execute(
        _FIRST,
        {
            "tenant_id": tenant_id,
            "resource_id": resource_id,
            "from": window.start,
            "to": window.end,
        },
    )
    row = await cursor.fetchone()
    return None if row is None else row[0]
