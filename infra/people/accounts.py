"""What an issuer says of its users, beyond any tenant; each tenant's people have a copy.

Whoever changes an account holds its row until the end of the transaction, and so does whoever makes
a person of it: the copies are never older than what they were made of.
"""

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from infra.people.facts import AccountRemoved, AccountTold

Connection = AsyncConnection[TupleRow]


async def told(conn: Connection, issuer: str, fact: AccountTold) -> None:
    """Records what a user is called, wherever they belong.

    Args:
        conn: in a transaction of `booking_directory`.
        issuer: who says so.
        fact: what is told.
    """
    await conn.execute(
        """
        insert into booking.account as known (issuer, subject, email, name, told_at)
        values (%s, %s, %s, %s, %s)
        on conflict on constraint account_pk do update
           set email = excluded.email, name = excluded.name, told_at = excluded.told_at
         where known.removed_at is null
           and (known.told_at is null or known.told_at < excluded.told_at)
        """,
        [issuer, fact.subject, fact.email, fact.name, fact.told_at],
    )
    await copy_to_people(conn, issuer, fact.subject)


async def seen(
    conn: Connection, issuer: str, subject: str, *, email: str | None, name: str | None
) -> None:
    """Records that there is a user, and holds the account's row.

    Args:
        conn: in a transaction of `booking_directory`.
        issuer: who says so.
        subject: the issuer's id of the user.
        email: told in passing: it counts only while the issuer has told nothing of the account.
        name: likewise.
    """
    await conn.execute(
        """
        insert into booking.account as known (issuer, subject, email, name)
        values (%s, %s, %s, %s)
        on conflict on constraint account_pk do update
           set email = case when known.told_at is null and known.removed_at is null
                            then coalesce(known.email, excluded.email) else known.email end,
               name  = case when known.told_at is null and known.removed_at is null
                            then coalesce(known.name, excluded.name) else known.name end
        """,
        [issuer, subject, email, name],
    )


async def removed(conn: Connection, issuer: str, fact: AccountRemoved) -> None:
    """Records that a user has gone, and erases who it was, for every tenant.

    Args:
        conn: in a transaction of `booking_directory`.
        issuer: who says so.
        fact: what is told.
    """
    await conn.execute(
        """
        insert into booking.account as known (issuer, subject, removed_at)
        values (%s, %s, %s)
        on conflict on constraint account_pk do update
           set email = null, name = null, removed_at = least(known.removed_at, excluded.removed_at)
        """,
        [issuer, fact.subject, fact.removed_at],
    )
    await conn.execute(
        """
        update booking.person
           set email = null, name = null
         where issuer = %s and subject = %s
        """,
        [issuer, fact.subject],
    )


async def copy_to_people(conn: Connection, issuer: str, subject: str) -> None:
    """Brings the copies up to date, for the tenants that the user belongs to.

    A statement of its own, after the one that has taken the account's row: only so does it see the
    people that whoever held the row before has made. A tenant that the user has left is told no
    more.

    Args:
        conn: in a transaction of `booking_directory` that holds the account's row.
        issuer: whose user.
        subject: the issuer's id of the user.
    """
    await conn.execute(
        """
        update booking.person p
           set email = a.email, name = a.name
          from booking.account a
         where a.issuer = %(issuer)s and a.subject = %(subject)s
           and p.issuer = %(issuer)s and p.subject = %(subject)s
           and p.removed_at is null
           and (p.email, p.name) is distinct from (a.email, a.name)
        """,
        {"issuer": issuer, "subject": subject},
    )
