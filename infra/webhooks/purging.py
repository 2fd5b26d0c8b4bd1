"""The end of messages: those that have come to theirs are forgotten after a while, or too many."""

from datetime import timedelta

from infra.postgres.pool import Pool

KEPT = timedelta(days=30)
MOST_OF_AN_ENDPOINT = 10_000
AT_ONCE = 2000

_PURGE_OLD = """
    delete from booking.webhook_message
     where (tenant_id, endpoint_id, seq) in (
               select tenant_id, endpoint_id, seq
                 from booking.webhook_message
                where ended_at < statement_timestamp() - %s
                order by ended_at
                limit %s)
"""
# Of each endpoint, the latest events stay.
_PURGE_EXCESS = """
    delete from booking.webhook_message
     where (tenant_id, endpoint_id, seq) in (
               select too_many.tenant_id, too_many.endpoint_id, too_many.seq
                 from booking.webhook_endpoint endpoint
                cross join lateral (
                          select message.tenant_id, message.endpoint_id, message.seq
                            from booking.webhook_message message
                           where message.tenant_id = endpoint.tenant_id
                             and message.endpoint_id = endpoint.endpoint_id
                             and message.ended_at is not null
                           order by message.seq desc
                          offset %s
                           limit %s) too_many
                limit %s)
"""


async def purge_messages(pool: Pool, *, most: int = MOST_OF_AN_ENDPOINT) -> int:
    """Deletes messages that ended long ago, or of which there are too many, some at a time.

    Args:
        pool: connections of `booking_projector`.
        most: how many of one endpoint stay.

    Returns:
        How many went.
    """
    purged = 0
    while True:
        async with pool.connection() as conn:
            old = await conn.execute(_PURGE_OLD, (KEPT, AT_ONCE))
            excess = await conn.execute(_PURGE_EXCESS, (most, AT_ONCE, AT_ONCE))
        purged += old.rowcount + excess.rowcount
        if max(old.rowcount, excess.rowcount) < AT_ONCE:
            return purged
