"""Which tenant an issuer's organisation is; the first that is heard of one makes its tenant."""

import re
import secrets

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from domain.ids import TenantId
from infra.errors import Contended
from infra.identity import new_id
from infra.people.facts import OrganisationRemoved, OrganisationTold

SLUGS_TRIED = 5
_SLUG_TAKEN = "tenant_slug_taken"
_LONGEST_SLUG = 63  # as tenant_slug_form has it
_LONGEST_NAME = 200  # as tenant_name_form has it
_SUFFIX_BYTES = 3

Connection = AsyncConnection[TupleRow]


async def told(conn: Connection, issuer: str, fact: OrganisationTold) -> TenantId:
    """Records what an organisation is called; its tenant takes the name, and keeps its slug.

    Args:
        conn: in a transaction of `booking_directory`.
        issuer: who says so.
        fact: what is told.

    Returns:
        The organisation's tenant, made now if need be.

    Raises:
        Contended: no slug could be found for a new tenant.
    """
    tenant_id = await _find(conn, issuer, fact.organisation_id)
    if tenant_id is None:
        tenant_id = await _make(conn, issuer, fact)
    if fact.told_at is not None:
        await conn.execute(
            """
            with told as (
                update booking.organisation
                   set slug = %(slug)s, name = %(name)s, told_at = %(told_at)s
                 where issuer = %(issuer)s and organisation_id = %(organisation_id)s
                   and (told_at is null or told_at < %(told_at)s)
                returning tenant_id, name)
            update booking.tenant t
               set name = left(told.name, %(longest)s)
              from told
             where t.tenant_id = told.tenant_id and told.name is not null
            """,
            {
                "issuer": issuer,
                "organisation_id": fact.organisation_id,
                "slug": fact.slug,
                "name": fact.name,
                "told_at": fact.told_at,
                "longest": _LONGEST_NAME,
            },
        )
    return tenant_id


async def removed(conn: Connection, issuer: str, fact: OrganisationRemoved) -> None:
    """Records that an organisation has gone: its users do not come in any more.

    One that was never heard of is made all the same, so that what was sent before and comes after
    does not bring it to life. The tenant stays, with its log and its API keys.

    Args:
        conn: in a transaction of `booking_directory`.
        issuer: who says so.
        fact: what is told.

    Raises:
        Contended: no slug could be found for a new tenant.
    """
    await told(conn, issuer, OrganisationTold(fact.organisation_id, fact.slug, None, None))
    await conn.execute(
        """
        update booking.organisation
           set removed_at = least(removed_at, %s)
         where issuer = %s and organisation_id = %s
        """,
        [fact.removed_at, issuer, fact.organisation_id],
    )


def tenant_slug(wanted: str) -> str:
    """Makes what may be a tenant's slug of what an issuer calls an organisation.

    Args:
        wanted: a slug, name or id.
    """
    plain = re.sub(r"[^a-z0-9]+", "-", wanted.lower()).strip("-")
    return plain[:_LONGEST_SLUG].rstrip("-") or "organisation"


async def _find(conn: Connection, issuer: str, organisation_id: str) -> TenantId | None:
    cursor = await conn.execute(
        "select tenant_id from booking.organisation where issuer = %s and organisation_id = %s",
        [issuer, organisation_id],
    )
    row = await cursor.fetchone()
    return None if row is None else TenantId(row[0])


async def _make(conn: Connection, issuer: str, fact: OrganisationTold) -> TenantId:
    """Makes the tenant, unless somebody else does so at this moment.

    The organisation's row is first: who comes second waits for it, and has made no tenant yet. A
    tenant of the wished-for slug that stands already is somebody else's: the new one gets another.
    """
    wanted = tenant_slug(fact.slug or fact.name or fact.organisation_id)
    for slug in (wanted, *(_with_suffix(wanted) for _ in range(SLUGS_TRIED - 1))):
        try:
            async with conn.transaction():
                await conn.execute(
                    """
                    with made as (
                        insert into booking.organisation (
                            tenant_id, issuer, organisation_id, slug, name)
                        values (
                            %(tenant_id)s, %(issuer)s, %(organisation_id)s, %(slug)s, %(name)s)
                        on conflict on constraint organisation_one_tenant do nothing
                        returning tenant_id),
                    tenant as (
                        insert into booking.tenant (tenant_id, slug, name)
                        select tenant_id, %(tenant_slug)s, %(tenant_name)s from made)
                    insert into booking.tenant_head (tenant_id)
                    select tenant_id from made
                    """,
                    {
                        "tenant_id": new_id(),
                        "issuer": issuer,
                        "organisation_id": fact.organisation_id,
                        "slug": fact.slug,
                        "name": fact.name,
                        "tenant_slug": slug,
                        "tenant_name": (fact.name or fact.slug or slug)[:_LONGEST_NAME],
                    },
                )
        except psycopg.errors.UniqueViolation as error:
            if error.diag.constraint_name != _SLUG_TAKEN:
                raise
            continue
        # Whoever made it has committed by now, and this statement sees what was committed.
        tenant_id = await _find(conn, issuer, fact.organisation_id)
        if tenant_id is not None:
            return tenant_id
    raise Contended


def _with_suffix(slug: str) -> str:
    suffix = f"-{secrets.token_hex(_SUFFIX_BYTES)}"
    return slug[: _LONGEST_SLUG - len(suffix)].rstrip("-") + suffix
