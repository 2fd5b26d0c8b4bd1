"""The end of refusals: what is old goes, and of what one tenant has too many of, the oldest."""

from datetime import timedelta

from infra.postgres.pool import Pool

KEPT = timedelta(days=90)
MOST_OF_A_TENANT = 100_000
AT_ONCE = 5000

_PURGE_OLD = """
    delete from booking.refusal
     where (tenant_id, refusal_id) in (
               select tenant_id, refusal_id
                 from booking.refusal
                where refused_at < statement_timestamp() - %s
                order by refused_at
                limit %s)
"""

# Of each tenant that has any, found by leaps over the index: the newest that is one too many.
_PURGE_EXCESS = """
    with recursive having_some as (
        (select tenant_id from booking.refusal order by tenant_id limit 1)
         union all
        select (select next.tenant_id
                  from booking.refusal next
                 where next.tenant_id > having_some.tenant_id
                 order by next.tenant_id
                 limit 1)
          from having_some
         where having_some.tenant_id is not null
    ),
    excess as (
        select too_many.tenant_id, too_many.refusal_id
          from having_some
         cross join lateral (
                   select refusal.tenant_id, refusal.refusal_id
                     from booking.refusal
                    where refusal.tenant_id = having_some.tenant_id
                    order by refusal.refused_at desc, refusal.refusal_id desc
                   offset %s
                    limit %s
               ) too_many
         limit %s
    )
    delete from booking.refusal
     where (tenant_id, refusal_id) in (select tenant_id, refusal_id from excess)
"""


async def purge_refusals(background: Pool, *, most_of_a_tenant: int = MOST_OF_A_TENANT) -> int:
    """Deletes refusals that are too old or too many, some at a time.

    Args:
        background: connections of `booking_background`.
        most_of_a_tenant: how many of one tenant stay.

    Returns:
        How many went.
    """
    purged = 0
    while True:
        async with background.connection() as connection:
            cursor = await connection.execute(_PURGE_OLD, (KEPT, AT_ONCE))
        purged += cursor.rowcount
        if cursor.rowcount < AT_ONCE:
            break
    while True:
        async with background.connection() as connection:
            cursor = await connection.execute(_PURGE_EXCESS, (most_of_a_tenant, AT_ONCE, AT_ONCE))
        purged += cursor.rowcount
        if cursor.rowcount < AT_ONCE:
            return purged
