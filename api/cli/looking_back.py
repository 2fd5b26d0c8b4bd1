"""`booking audit as-of`: what was known at a moment of a log."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import typer
from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from pydantic_core import PydanticCustomError

from api.cli.auditing import OfTenant, with_owner
from api.cli.past_report import booking_line, booking_lines, count_line, moment_line
from api.cli.workplace import prepared_settings
from api.schemas.times import parse_time
from domain.booking import Booking
from domain.ids import BookingId, ResourceId, TenantId
from infra.proof.looking_back import (
    CannotLookBack,
    bookings_at,
    find_moment,
    known_bookings,
    names_at,
)
from infra.proof.replaying import Cast, select_forgotten
from infra.rebuilding import chosen_tenants
from projections.bookings.listing import BookingFilter
from projections.moment import Moment

At = Annotated[
    str,
    typer.Option(
        "--at",
        help="A position of the log, or a time with offset: 2026-03-01T09:00:00+01:00.",
        metavar="POSITION|TIME",
    ),
]
OfBooking = Annotated[
    UUID | None, typer.Option("--booking", help="This booking, all that was known.", metavar="ID")
]
OfResource = Annotated[
    UUID | None, typer.Option("--resource", help="What occupied this resource.", metavar="ID")
]
Start = Annotated[
    str | None, typer.Option("--from", help="What ends after this time.", metavar="TIME")
]
End = Annotated[
    str | None, typer.Option("--to", help="What starts before this time.", metavar="TIME")
]


def as_of(
    *,
    tenant: OfTenant,
    at: At,
    booking: OfBooking = None,
    resource: OfResource = None,
    start: Start = None,
    end: End = None,
) -> None:
    """Tell what was known at a moment: a booking, what occupied a resource, or all bookings.

    What has happened since counts for nothing; but who was forgotten since
    is told to be. Personal data stays sealed.
    """
    wanted = BookingFilter(
        resource_id=None if resource is None else ResourceId(resource),
        start=_time(start),
        end=_time(end),
    )
    asked = _moment(at)

    async def tell(conn: AsyncConnection[TupleRow]) -> None:
        [one] = await chosen_tenants(conn, tenant)
        moment = await find_moment(conn, one.tenant_id, asked)
        if booking is None:
            await _tell_bookings(conn, one.tenant_id, moment, wanted)
        else:
            await _tell_booking(conn, one.tenant_id, moment, BookingId(booking))

    with_owner(prepared_settings(), tell)


async def _tell_booking(
    conn: AsyncConnection[TupleRow], tenant_id: TenantId, moment: Moment, booking_id: BookingId
) -> None:
    bookings = await bookings_at(conn, tenant_id, moment, [booking_id])
    if not bookings:
        raise CannotLookBack(f"There was no booking {booking_id} then.")
    typer.echo(moment_line(moment))
    cast = Cast(
        forgotten=await select_forgotten(conn, tenant_id),
        names=await names_at(conn, tenant_id, moment, bookings),
    )
    for line in booking_lines(bookings[0], cast):
        typer.echo(line)


async def _tell_bookings(
    conn: AsyncConnection[TupleRow], tenant_id: TenantId, moment: Moment, wanted: BookingFilter
) -> None:
    typer.echo(moment_line(moment))
    number = 0
    async for known in known_bookings(conn, tenant_id, moment, wanted):
        bookings = [each for each in known if wanted.resource_id is None or _occupies(each, moment)]
        cast = Cast(names=await names_at(conn, tenant_id, moment, bookings))
        for each in bookings:
            typer.echo(booking_line(each, cast))
        number += len(bookings)
    typer.echo(count_line(number))


def _occupies(booking: Booking, moment: Moment) -> bool:
    """Whether a booking claimed its resources; a hold does until it expires."""
    if booking.status == "held":
        return booking.hold_expires_at is None or booking.hold_expires_at > moment.time
    return booking.status == "confirmed"


def _moment(text: str) -> int | datetime:
    from api.past import parse_as_of  # noqa: PLC0415 - slow to load, for this command alone

    try:
        return parse_as_of(text)
    except PydanticCustomError as error:
        raise typer.BadParameter(f"{error.message()}; or a position of the log") from None


def _time(text: str | None) -> datetime | None:
    try:
        return None if text is None else parse_time(text)
    except PydanticCustomError as error:
        raise typer.BadParameter(error.message()) from None
