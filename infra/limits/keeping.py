"""What is said of one tenant's limits, as the owner of the table writes and reads it."""

from dataclasses import asdict

import psycopg
from psycopg.rows import class_row

from domain.ids import TenantId
from infra.limits.of_tenants import TenantLimit

_READ = """
    select rate, burst, key_rate, key_burst, hold_ceiling, customer_hold_ceiling
      from booking.tenant_limit
     where tenant_id = %s
"""
_KEEP = """
    insert into booking.tenant_limit (
        tenant_id, rate, burst, key_rate, key_burst, hold_ceiling, customer_hold_ceiling)
    values (%(tenant_id)s, %(rate)s, %(burst)s, %(key_rate)s, %(key_burst)s, %(hold_ceiling)s,
            %(customer_hold_ceiling)s)
        on conflict on constraint tenant_limit_pk do update
       set rate = excluded.rate, burst = excluded.burst,
           key_rate = excluded.key_rate, key_burst = excluded.key_burst,
           hold_ceiling = excluded.hold_ceiling,
           customer_hold_ceiling = excluded.customer_hold_ceiling
"""
_BEGIN_WITHOUT = """
    insert into booking.tenant_limit (
        tenant_id, rate, key_rate, hold_ceiling, customer_hold_ceiling)
    values (%s, 0, 0, 0, 0)
        on conflict on constraint tenant_limit_pk do nothing
"""

NO_LIMIT = TenantLimit(rate=0, key_rate=0, hold_ceiling=0, customer_hold_ceiling=0)


def read_limit(conn: psycopg.Connection, tenant_id: TenantId) -> TenantLimit:
    """Read what is said of a tenant.

    Args:
        conn: a connection of the owner.
        tenant_id: whose.
    """
    with conn.cursor(row_factory=class_row(TenantLimit)) as cursor:
        return cursor.execute(_READ, [tenant_id]).fetchone() or TenantLimit()


def keep_limit(conn: psycopg.Connection, tenant_id: TenantId, limit: TenantLimit) -> None:
    """Say something of a tenant, instead of what was said before.

    Args:
        conn: a connection of the owner.
        tenant_id: whose.
        limit: what; within the bounds that the table has.
    """
    conn.execute(_KEEP, {"tenant_id": tenant_id, **asdict(limit)})


def begin_without_limits(conn: psycopg.Connection, tenant_id: TenantId) -> None:
    """Let a tenant have no limits, unless something was said of it already.

    Args:
        conn: a connection of the owner.
        tenant_id: whose.
    """
    conn.execute(_BEGIN_WITHOUT, [tenant_id])
