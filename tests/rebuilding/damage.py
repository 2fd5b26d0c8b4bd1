"""What can happen to the rows of an inline projection behind the engine's back."""

from dataclasses import dataclass
from typing import LiteralString

from projections.catalogue import InlineName


@dataclass(frozen=True)
class Damage:
    """Something done to the rows of one tenant, as `Tables.furnish` has left them.

    Attributes:
        table: where.
        name: what it is.
        missing: how many rows are then lacking, or otherwise.
        unexpected: how many rows are then too many, or otherwise.
        statements: what is done.
        is_confined: whether rows of other bookings and resources of the tenant stay as they are.
    """

    table: InlineName
    name: str
    missing: int
    unexpected: int
    statements: tuple[LiteralString, ...]
    is_confined: bool = True

    def __str__(self) -> str:
        return f"{self.table}: {self.name}"


def altered(table: InlineName, name: str, statement: LiteralString) -> Damage:
    """One row is otherwise: the right one is lacking, and the wrong one too many."""
    return Damage(table, name, 1, 1, (statement,))


_ADDED: LiteralString = """
    insert into booking.reservation
    values (%(tenant)s, %(stage)s, %(tenant)s, '2027-03-01 11:30Z', '2027-03-01 12:30Z',
            'confirmed', null)
"""

OF_CLAIMS = [
    altered(
        "reservation",
        "a hold is confirmed",
        """
        update booking.reservation set status = 'confirmed'
         where tenant_id = %(tenant)s and booking_id = %(b2)s
        """,
    ),
    altered(
        "reservation",
        "a hold never expires",
        """
        update booking.reservation set hold_expires_at = null
         where tenant_id = %(tenant)s and booking_id = %(b2)s
        """,
    ),
    altered(
        "reservation",
        "an expiry is a microsecond late",
        """
        update booking.reservation set hold_expires_at = hold_expires_at + interval '1 microsecond'
         where tenant_id = %(tenant)s and booking_id = %(b2)s
        """,
    ),
    altered(
        "reservation",
        "a booking ends late",
        """
        update booking.reservation set end_time = end_time + interval '30 minutes'
         where tenant_id = %(tenant)s and booking_id = %(b2)s
        """,
    ),
    altered(
        "reservation",
        "a booking has no end",
        """
        update booking.reservation set end_time = 'infinity'
         where tenant_id = %(tenant)s and booking_id = %(b3)s and resource_id = %(stage)s
        """,
    ),
    altered(
        "reservation",
        "a booking is on no resource",
        """
        update booking.reservation set resource_id = tenant_id
         where tenant_id = %(tenant)s and booking_id = %(b2)s
        """,
    ),
    altered(
        "reservation",
        "a claim is of no booking",
        """
        update booking.reservation set booking_id = tenant_id
         where tenant_id = %(tenant)s and booking_id = %(b2)s
        """,
    ),
    Damage(
        "reservation",
        "two bookings have changed places",
        2,
        2,
        (
            """
            update booking.reservation
               set start_time = '2027-03-06 09:00Z', end_time = '2027-03-06 10:00Z'
             where tenant_id = %(tenant)s and booking_id = %(b1)s
            """,
            """
            update booking.reservation
               set start_time = '2027-03-01 09:00Z', end_time = '2027-03-01 10:00Z'
             where tenant_id = %(tenant)s and booking_id = %(b2)s
            """,
            """
            update booking.reservation
               set start_time = '2027-03-01 11:00Z', end_time = '2027-03-01 12:00Z'
             where tenant_id = %(tenant)s and booking_id = %(b1)s
            """,
        ),
    ),
    Damage(
        "reservation",
        "a row is lost",
        1,
        0,
        (
            """
            delete from booking.reservation
             where tenant_id = %(tenant)s and booking_id = %(b3)s and resource_id = %(stage)s
            """,
        ),
    ),
    Damage(
        "reservation",
        "all rows are lost",
        4,
        0,
        ("delete from booking.reservation where tenant_id = %(tenant)s",),
        is_confined=False,
    ),
    Damage(
        "reservation",
        "a row too many stands where one is lost",
        1,
        1,
        (
            """
            delete from booking.reservation
             where tenant_id = %(tenant)s and booking_id = %(b2)s
            """,
            _ADDED,
        ),
    ),
    Damage(
        "reservation",
        "there are rows of the lowest and the highest id",
        0,
        2,
        (
            """
            insert into booking.reservation
            values (%(tenant)s, %(stage)s, '00000000-0000-0000-0000-000000000000',
                    '2027-03-05 09:00Z', '2027-03-05 10:00Z', 'confirmed', null),
                   (%(tenant)s, %(stage)s, 'ffffffff-ffff-ffff-ffff-ffffffffffff',
                    '2027-03-05 10:00Z', '2027-03-05 11:00Z', 'held', null)
            """,
        ),
    ),
]

OF_RESOURCES = [
    altered(
        "resource",
        "a name is another",
        """
        update booking.resource set name = 'stage'
         where tenant_id = %(tenant)s and resource_id = %(stage)s
        """,
    ),
    altered(
        "resource",
        "a kind is another",
        """
        update booking.resource set kind = 'stage'
         where tenant_id = %(tenant)s and resource_id = %(stage)s
        """,
    ),
    altered(
        "resource",
        "a zone is another",
        """
        update booking.resource set timezone = 'Etc/UTC'
         where tenant_id = %(tenant)s and resource_id = %(stage)s
        """,
    ),
    altered(
        "resource",
        "an attribute is equal but not alike",
        """
        update booking.resource set attributes = '{"size": 1.50}'
         where tenant_id = %(tenant)s and resource_id = %(stage)s
        """,
    ),
    altered(
        "resource",
        "one is retired",
        """
        update booking.resource set retired = true
         where tenant_id = %(tenant)s and resource_id = %(stage)s
        """,
    ),
    altered(
        "resource",
        "a version is ahead",
        """
        update booking.resource set version = version + 1
         where tenant_id = %(tenant)s and resource_id = %(stage)s
        """,
    ),
    altered(
        "resource",
        "a position is behind",
        """
        update booking.resource set position = position - 1
         where tenant_id = %(tenant)s and resource_id = %(stage)s
        """,
    ),
    altered(
        "resource",
        "one was made a microsecond before",
        """
        update booking.resource set created_at = created_at - interval '1 microsecond'
         where tenant_id = %(tenant)s and resource_id = %(stage)s
        """,
    ),
    altered(
        "resource",
        "one changes forever",
        """
        update booking.resource set updated_at = 'infinity'
         where tenant_id = %(tenant)s and resource_id = %(stage)s
        """,
    ),
    Damage(
        "resource",
        "one is lost",
        1,
        0,
        (
            """
            delete from booking.resource
             where tenant_id = %(tenant)s and resource_id = %(stage)s
            """,
        ),
    ),
    Damage(
        "resource",
        "all are lost",
        2,
        0,
        ("delete from booking.resource where tenant_id = %(tenant)s",),
        is_confined=False,
    ),
    Damage(
        "resource",
        "there is one too many",
        0,
        1,
        (
            """
            insert into booking.resource
            select tenant_id, tenant_id, name, kind, timezone, attributes, retired, version,
                   position, created_at, updated_at
              from booking.resource
             where tenant_id = %(tenant)s and resource_id = %(stage)s
            """,
        ),
    ),
]

OF_HOLDS = [
    altered(
        "open_hold",
        "one is for somebody",
        """
        update booking.open_hold set customer_key_id = %(stage)s
         where tenant_id = %(tenant)s and booking_id = %(b2)s
        """,
    ),
    altered(
        "open_hold",
        "one never expires",
        """
        update booking.open_hold set hold_expires_at = null
         where tenant_id = %(tenant)s and booking_id = %(b2)s
        """,
    ),
    Damage(
        "open_hold",
        "one is lost",
        1,
        0,
        (
            """
            delete from booking.open_hold
             where tenant_id = %(tenant)s and booking_id = %(b2)s
            """,
        ),
    ),
    Damage(
        "open_hold",
        "a confirmed booking is among them",
        0,
        1,
        ("insert into booking.open_hold values (%(tenant)s, %(b1)s, null, null)",),
    ),
]

DAMAGES = [*OF_CLAIMS, *OF_RESOURCES, *OF_HOLDS]
