"""What was known at a moment of a log: bookings as they were, whatever has happened since.

Which ones there were is looked up in the projection `reservation_history`; what they were is folded
from their events until then. Personal data stays sealed.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from domain.booking import Booking
from domain.ids import BookingId, TenantId
from domain.mapper import EventMapper
from domain.resource import Resource
from infra.engine.view import restore
from infra.log.reader import select_streams
from projections.bookings.listing import BookingFilter
from projections.moment import InFuture, Moment, moment_of_position, moment_of_time
from projections.position import read_head, read_live
from projections.reservation_history.listing import BEGINNING, KnownMark, list_known

BOOKINGS_AT_ONCE = 200


class CannotLookBack(Exception):
    """There is no such moment, or what was known then has not been projected yet."""


async def find_moment(
    conn: AsyncConnection[TupleRow], tenant_id: TenantId, at: int | datetime
) -> Moment:
    """Finds a moment of a log.

    Args:
        conn: of the tables' owner.
        tenant_id: whose log.
        at: a position, or a time.

    Raises:
        CannotLookBack: the log has not come that far.
    """
    if isinstance(at, datetime):
        try:
            return await moment_of_time(conn, tenant_id, at)
        except InFuture as early:
            raise CannotLookBack(
                f"{at.isoformat()} has not come yet. Give a time until {early.now.isoformat()}."
            ) from None
    head = (await read_head(conn, tenant_id)).seq
    if at > head:
        raise CannotLookBack(f"The log has no position {at:,}. Give one until {head:,}.")
    return await moment_of_position(conn, tenant_id, at)


async def known_bookings(
    conn: AsyncConnection[TupleRow], tenant_id: TenantId, moment: Moment, wanted: BookingFilter
) -> AsyncIterator[Sequence[Booking]]:
    """Tells the bookings that were known, by start and id as they were then.

    Args:
        conn: of the tables' owner.
        tenant_id: whose.
        moment: when.
        wanted: which; text and reference are not looked at.

    Yields:
        Some of them at a time.

    Raises:
        CannotLookBack: the projection has not come that far.
    """
    mark: KnownMark | None = BEGINNING if moment.position else None
    while mark is not None:
        live = await read_live(conn, tenant_id, "reservation_history")
        if live is None or live.seq < moment.position:
            raise CannotLookBack(
                "reservation_history has not come that far yet. Let a projector catch up: booking "
                "project status tells how far it is."
            )
        page = await list_known(
            conn,
            tenant_id=tenant_id,
            generation=live.generation,
            moment=moment,
            wanted=wanted,
            after=mark,
            limit=BOOKINGS_AT_ONCE,
        )
        mark = page.next_after
        yield await bookings_at(conn, tenant_id, moment, [each.booking_id for each in page.marks])


async def bookings_at(
    conn: AsyncConnection[TupleRow],
    tenant_id: TenantId,
    moment: Moment,
    booking_ids: Sequence[BookingId],
) -> list[Booking]:
    """Folds bookings from their events until a moment.

    Args:
        conn: of the tables' owner.
        tenant_id: whose.
        moment: when.
        booking_ids: which.

    Returns:
        Those that there were, in the same order.
    """
    things = await _things(conn, tenant_id, moment, booking_ids)
    return [thing for each in booking_ids if isinstance(thing := things.get(each), Booking)]


async def names_at(
    conn: AsyncConnection[TupleRow],
    tenant_id: TenantId,
    moment: Moment,
    bookings: Sequence[Booking],
) -> dict[UUID, str]:
    """Tells what the resources of bookings were called.

    Args:
        conn: of the tables' owner.
        tenant_id: whose.
        moment: when.
        bookings: as they were then.
    """
    resources = {resource for booking in bookings for resource in booking.resource_ids}
    things = await _things(conn, tenant_id, moment, [*resources])
    return {each: thing.name for each, thing in things.items() if isinstance(thing, Resource)}


async def _things(
    conn: AsyncConnection[TupleRow],
    tenant_id: TenantId,
    moment: Moment,
    stream_ids: Sequence[UUID],
) -> Mapping[UUID, object]:
    mapper = EventMapper()
    streams = await select_streams(conn, tenant_id, stream_ids, moment.position)
    found = {stream: restore(mapper, events) for stream, events in streams.items()}
    return {stream: loaded.aggregate for stream, loaded in found.items() if loaded is not None}
