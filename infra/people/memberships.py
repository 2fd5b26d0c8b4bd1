"""Who belongs to which tenant, in what role, and how one user stands."""

from psycopg import AsyncConnection
from psycopg.rows import TupleRow, class_row

from infra.access.sign_in import SignIn
from infra.identity import new_id
from infra.people import accounts, organisations
from infra.people.facts import MembershipTold
from infra.people.standing import Standing

Connection = AsyncConnection[TupleRow]


async def told(conn: Connection, issuer: str, fact: MembershipTold) -> None:
    """Records that a user belongs to an organisation, or no longer does.

    Of what is told as of the same moment, the end of a membership counts.

    Args:
        conn: in a transaction of `booking_directory`.
        issuer: who says so.
        fact: what is told.

    Raises:
        Contended: no slug could be found for a new tenant.
    """
    tenant_id = await organisations.told(conn, issuer, fact.organisation)
    await accounts.seen(conn, issuer, fact.subject, email=fact.email, name=fact.name)
    await conn.execute(
        """
        insert into booking.person as known (
            tenant_id, user_id, issuer, subject, role, told_at, removed_at)
        values (
            %(tenant_id)s, %(user_id)s, %(issuer)s, %(subject)s, %(role)s, %(told_at)s,
            %(removed_at)s)
        on conflict on constraint person_one_each do update
           set role = excluded.role,
               told_at = excluded.told_at,
               removed_at = excluded.removed_at
         where known.told_at < excluded.told_at
            or known.told_at = excluded.told_at and excluded.removed_at is not null
        """,
        {
            "tenant_id": tenant_id,
            "user_id": new_id(),
            "issuer": issuer,
            "subject": fact.subject,
            "role": fact.role,
            "told_at": fact.told_at,
            "removed_at": fact.told_at if fact.removed else None,
        },
    )
    await accounts.copy_to_people(conn, issuer, fact.subject)


async def standing(conn: Connection, sign_in: SignIn) -> Standing | None:
    """Looks up how a user stands: a row of each of three indexes.

    Args:
        conn: of `booking_directory`.
        sign_in: names the user and the organisation.

    Returns:
        It; None if the user was never heard of in that organisation.
    """
    async with conn.cursor(row_factory=class_row(Standing)) as cursor:
        await cursor.execute(
            """
            select p.tenant_id, p.user_id, p.role, p.told_at,
                   p.removed_at is not null as left,
                   o.removed_at is not null or a.removed_at is not null as gone
              from booking.organisation o
              join booking.person p on p.tenant_id = o.tenant_id and p.issuer = o.issuer
              join booking.account a on a.issuer = p.issuer and a.subject = p.subject
             where o.issuer = %s and o.organisation_id = %s and p.subject = %s
            """,
            [sign_in.issuer, sign_in.organisation, sign_in.subject],
        )
        return await cursor.fetchone()
