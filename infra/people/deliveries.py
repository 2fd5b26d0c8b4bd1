"""The memory of webhooks that have had their effect, and its end."""

from datetime import timedelta

from infra.postgres.pool import Pool

KEPT = timedelta(days=7)
"""A sender tries for two days at most; what is sent by hand later is as old as it says."""

AT_ONCE = 5000


async def purge_deliveries(background: Pool) -> int:
    """Forgets old deliveries.

    Args:
        background: connections of `booking_background`.

    Returns:
        How many were forgotten.
    """
    purged = 0
    while True:
        async with background.connection() as connection:
            cursor = await connection.execute(
                """
                delete from booking.webhook_delivery
                 where delivery_id in (
                           select delivery_id
                             from booking.webhook_delivery
                            where received_at < statement_timestamp() - %s
                            limit %s)
                """,
                (KEPT, AT_ONCE),
            )
        purged += cursor.rowcount
        if cursor.rowcount < AT_ONCE:
            return purged
