"""Which tenants a command is about."""

from dataclasses import dataclass

from psycopg import AsyncConnection
from psycopg.rows import TupleRow, class_row

from domain.ids import TenantId
from infra.access import AccessError


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant, as it is called and as it is meant."""

    tenant_id: TenantId
    slug: str


async def chosen_tenants(conn: AsyncConnection[TupleRow], slug: str | None) -> list[Tenant]:
    """Find the tenants that are meant.

    Args:
        conn: of the tables' owner.
        slug: the short name of one; None for all.

    Returns:
        Them, by slug.

    Raises:
        AccessError: there is none of this slug.
    """
    async with conn.cursor(row_factory=class_row(Tenant)) as cursor:
        await cursor.execute(
            """
            select tenant_id, slug
              from booking.tenant
             where %(slug)s::text is null or slug = %(slug)s
             order by slug
            """,
            {"slug": slug},
        )
        tenants = await cursor.fetchall()
    if slug is not None and not tenants:
        raise AccessError(
            f"There is no tenant {slug!r}. Make it: booking tenant create {slug} --name NAME"
        )
    return tenants
