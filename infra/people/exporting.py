"""Gives back what is kept of a tenant's people."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from domain.ids import TenantId
from infra.access.principal import Role

ROWS_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class ExportedPerson:
    """All that is kept of one person in one tenant.

    Attributes:
        user_id: as events name them.
        issuer: who issues their tokens.
        subject: the issuer's id of them.
        email: None where none was told, or it was erased.
        name: likewise.
        role: the last that was told; None for one that is not known here.
        since: when they were first heard of.
        updated: as of when the role is told, by the issuer's clock.
        removed: since when they do not belong to the tenant any more; None while they do.
    """

    user_id: UUID
    issuer: str
    subject: str
    email: str | None
    name: str | None
    role: Role | None
    since: datetime
    updated: datetime
    removed: datetime | None


def exported_people(conn: psycopg.Connection, tenant_id: TenantId) -> Iterator[ExportedPerson]:
    """Gives a tenant's people, in the order in which they were first heard of.

    Args:
        conn: a connection of the owner, in a transaction.
        tenant_id: whose.

    Yields:
        One after the other, as they come: any number of them takes no more memory than some.
    """
    with conn.cursor("people", row_factory=class_row(ExportedPerson)) as cursor:
        cursor.itersize = ROWS_AT_ONCE
        cursor.execute(
            """
            select p.user_id, p.issuer, p.subject, p.email, p.name, p.role, p.since,
                   p.told_at as updated,
                   least(p.removed_at, a.removed_at, o.removed_at) as removed
              from booking.person p
              join booking.account a on a.issuer = p.issuer and a.subject = p.subject
              join booking.organisation o on o.tenant_id = p.tenant_id and o.issuer = p.issuer
             where p.tenant_id = %s
             order by p.since, p.user_id
            """,
            [tenant_id],
        )
        yield from cursor
