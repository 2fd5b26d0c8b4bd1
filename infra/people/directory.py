"""The directory of people and organisations in PostgreSQL: what is asked of it, and told to it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import assert_never

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from infra.access.authenticator import NotAdmitted
from infra.access.sign_in import SignIn
from infra.people import accounts, memberships, organisations
from infra.people.facts import (
    AccountRemoved,
    AccountTold,
    Fact,
    MembershipTold,
    OrganisationRemoved,
    OrganisationTold,
)
from infra.people.standing import GONE, Standing
from infra.postgres.pool import Pool, borrowed, open_pool

CONNECTIONS = 2
WAITING = 512
"""How many may wait for one of them; one more is refused as overloaded."""


class Directory:
    """Reads and writes across the tenants, as `booking_directory`."""

    def __init__(self, pool: Pool) -> None:
        """Keeps its connections.

        Args:
            pool: of `booking_directory`.
        """
        self._pool = pool

    async def standing(self, sign_in: SignIn) -> Standing | None:
        """Looks up how a user stands in an organisation.

        Args:
            sign_in: names both.

        Returns:
            It; None if the user was never heard of there.

        Raises:
            Overloaded: the database cannot be asked just now.
        """
        async with borrowed(self._pool) as conn:
            return await memberships.standing(conn, sign_in)

    async def record(self, sign_in: SignIn) -> Standing:
        """Records what a token says, where it says something new, and what had to be there for it.

        Args:
            sign_in: what it says.

        Returns:
            How the user stands now.

        Raises:
            NotAdmitted: the user or the organisation is gone; nothing was made for them.
            Unavailable: the database cannot be asked just now.
        """
        named = OrganisationTold(sign_in.organisation, sign_in.organisation_slug, None, None)
        belongs = MembershipTold(
            organisation=named,
            subject=sign_in.subject,
            email=None,
            name=None,
            role=sign_in.role,
            told_at=sign_in.issued_at,
            removed=False,
        )
        async with borrowed(self._pool) as conn, conn.transaction():
            await memberships.told(conn, sign_in.issuer, belongs)
            standing = await memberships.standing(conn, sign_in)
            if standing is None or standing.gone:
                raise NotAdmitted(GONE)  # and undo what was made
            return standing

    async def deliver(self, delivery_id: str, issuer: str, fact: Fact) -> bool:
        """Records what an issuer has sent, once, in one transaction with the fact that it came.

        Args:
            delivery_id: the sender's id of it, the same each time it is sent.
            issuer: who says so.
            fact: what is told.

        Returns:
            Whether it came for the first time; else nothing was done.

        Raises:
            Unavailable: perhaps nothing was recorded; the sender shall send it again.
        """
        async with borrowed(self._pool) as conn, conn.transaction():
            cursor = await conn.execute(
                """
                insert into booking.webhook_delivery (delivery_id)
                values (%s)
                on conflict on constraint webhook_delivery_pk do nothing
                """,
                [delivery_id],
            )
            if cursor.rowcount == 0:
                return False
            await _tell(conn, issuer, fact)
            return True


@asynccontextmanager
async def running_directory(runtime_dsn: str) -> AsyncIterator[Directory]:
    """Runs a directory on few connections of its own: sign-ins never wait behind bookings.

    Args:
        runtime_dsn: of a login that may become `booking_directory`.

    Yields:
        The directory.

    Raises:
        RoleUnsafe: as that role the database would not keep tenants apart.
        psycopg.OperationalError: the server cannot be reached.
    """
    pool = await open_pool(
        runtime_dsn,
        role="booking_directory",
        max_size=CONNECTIONS,
        max_waiting=WAITING,
    )
    try:
        yield Directory(pool)
    finally:
        await pool.close()


async def _tell(conn: AsyncConnection[TupleRow], issuer: str, fact: Fact) -> None:
    match fact:
        case AccountTold():
            await accounts.told(conn, issuer, fact)
        case AccountRemoved():
            await accounts.removed(conn, issuer, fact)
        case OrganisationTold():
            await organisations.told(conn, issuer, fact)
        case OrganisationRemoved():
            await organisations.removed(conn, issuer, fact)
        case MembershipTold():
            await memberships.told(conn, issuer, fact)
        case _:
            assert_never(fact)
