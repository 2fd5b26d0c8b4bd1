"""What is asked of the reads that are kept, and how it is read from the database.

A question outlives the request that asked it first: it has nothing of it but what is asked, and by
which tenant.
"""

import hashlib
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from pydantic_core import to_json

from api.cursor import CursorScope
from api.problems.from_errors import window_too_full
from api.problems.problem import ProblemError
from api.rendering import availability_body, claim_body, thing_body
from api.services import Services
from domain.booking import Booking
from domain.ids import BookingId, ResourceId, TenantId
from domain.period import Period
from infra.cache import Entry, Question
from infra.engine import Accepted
from infra.live import EVERY_CUSTOMER
from infra.log.reader import select_head
from infra.postgres.pool import reading
from projections.reservation.availability import Availability, WindowTooFull, read_availability
from projections.reservation.calendar import CalendarPage, read_calendar

_TAG_BYTES = 16
_NEVER = float("inf")


class Absent(Exception):
    """There is no such thing, at a position of the log.

    Attributes:
        kind: of the thing.
        thing_id: as asked for.
        position: where the log ended.
    """

    def __init__(self, kind: str, thing_id: UUID, position: int) -> None:
        """Tell what is absent."""
        super().__init__(kind)
        self.kind = kind
        self.thing_id = thing_id
        self.position = position


def calendar_question(
    services: Services,
    tenant_id: TenantId,
    resource_id: ResourceId,
    window: Period,
    limit: int,
) -> Question:
    """Asks for the first page of a calendar.

    Args:
        services: to read it with.
        tenant_id: whose.
        resource_id: of which.
        window: what of it.
        limit: entries a page.
    """

    async def read() -> Entry:
        async with _look(services, tenant_id) as look:
            page = await read_calendar(
                look.conn,
                tenant_id=tenant_id,
                resource_id=resource_id,
                window=window,
                limit=limit,
            )
        if page is None:
            raise Absent("resource", resource_id, look.position)
        mark = page.next_after
        bound = calendar_scope(tenant_id, resource_id, window, None)
        cursor = None if mark is None else services.cursors.seal([None, mark], bound)
        expiries = (each.hold_expires_at for each in page.entries)
        return calendar_entry(page, look.position, cursor, *look.until(expiries))

    return Question(
        tenant_id=tenant_id,
        kind="calendar",
        parameters=f"{resource_id}:{_written(window)}:{limit}",
        about=(resource_id,),
        read=read,
    )


def calendar_scope(
    tenant_id: TenantId, resource_id: ResourceId, window: Period, as_of: int | datetime | None
) -> CursorScope:
    """Tells what a cursor of a calendar is bound to.

    Args:
        tenant_id: whose calendar.
        resource_id: of which.
        window: what of it.
        as_of: as asked.
    """
    return CursorScope(
        tenant_id=tenant_id,
        of="calendar",
        filters={
            "resource": resource_id,
            "from": window.start,
            "to": window.end,
            "as_of": as_of,
        },
    )


def calendar_entry(
    page: CalendarPage,
    position: int,
    next_cursor: str | None,
    holds_until: datetime | None = None,
    deadline: float = _NEVER,
) -> Entry:
    """Gives a page of a calendar as it is answered.

    Args:
        page: as it was read.
        position: at which it is true.
        next_cursor: for the next page.
        holds_until: when its first hold expires.
        deadline: the same by this process' clock.
    """
    items = [claim_body(entry) for entry in page.entries]
    return _tagged(
        to_json({"items": items, "next_cursor": next_cursor}),
        position=position,
        next_cursor=next_cursor,
        holds_until=holds_until,
        deadline=deadline,
    )


def availability_question(
    services: Services,
    tenant_id: TenantId,
    resource_ids: Sequence[ResourceId],
    window: Period,
    duration: timedelta,
) -> Question:
    """Asks when resources are free.

    Args:
        services: to read it with.
        tenant_id: whose.
        resource_ids: which.
        window: when.
        duration: for how long at least.
    """
    wanted = tuple(dict.fromkeys(resource_ids))

    async def read() -> Entry:
        async with _look(services, tenant_id) as look:
            try:
                availability = await read_availability(
                    look.conn,
                    tenant_id=tenant_id,
                    resource_ids=wanted,
                    window=window,
                    duration=duration,
                )
            except WindowTooFull as full:
                raise ProblemError(window_too_full(full)) from None
        if availability.unknown:
            raise Absent("resource", availability.unknown[0], look.position)
        expiries = [availability.holds_until]
        return availability_entry(availability, look.position, *look.until(expiries))

    names = hashlib.blake2b(b"".join(each.bytes for each in wanted), digest_size=16).hexdigest()
    return Question(
        tenant_id=tenant_id,
        kind="availability",
        parameters=f"{names}:{_written(window)}:{duration / timedelta(microseconds=1):.0f}",
        about=wanted,
        read=read,
    )


def availability_entry(
    availability: Availability,
    position: int,
    holds_until: datetime | None = None,
    deadline: float = _NEVER,
) -> Entry:
    """Gives what is free as it is answered.

    Args:
        availability: as it was read; of resources that are all known.
        position: at which it is true.
        holds_until: when the first hold in it expires.
        deadline: the same by this process' clock.
    """
    body = to_json(availability_body(availability))
    return _tagged(body, position=position, holds_until=holds_until, deadline=deadline)


def resource_question(services: Services, tenant_id: TenantId, resource_id: ResourceId) -> Question:
    """Asks for a resource.

    Args:
        services: to read it with.
        tenant_id: whose.
        resource_id: which.
    """

    async def read() -> Entry:
        found = await services.engine.resource(tenant_id, resource_id)
        if found is None:
            position = await services.engine.position(tenant_id)
            raise Absent("resource", resource_id, position)
        return thing_entry(found)

    return Question(
        tenant_id=tenant_id,
        kind="resource",
        parameters=str(resource_id),
        about=(resource_id,),
        read=read,
    )


def booking_question(services: Services, tenant_id: TenantId, booking_id: BookingId) -> Question:
    """Asks for a booking.

    Args:
        services: to read it with.
        tenant_id: whose.
        booking_id: which.
    """

    async def read() -> Entry:
        found = await services.engine.booking(tenant_id, booking_id)
        if found is None:
            raise Absent("booking", booking_id, await services.engine.position(tenant_id))
        return thing_entry(found)

    return Question(
        tenant_id=tenant_id,
        kind="booking",
        parameters=str(booking_id),
        about=(booking_id, EVERY_CUSTOMER),
        read=read,
    )


def thing_entry(found: Accepted) -> Entry:
    """Gives a booking or resource as it is answered.

    Its tag is its version. A booking whose customer was forgotten has had another body under the
    same tag, so nobody is told that they have it.

    Args:
        found: as the engine found it.
    """
    thing = found.aggregate
    had_customer = isinstance(thing, Booking) and thing.customer is not None
    return Entry(
        body=to_json(thing_body(found)),
        tag=f'"{thing.version}"',
        position=found.as_of,
        personal=found.customer is not None,
        same_if_tagged=found.customer is not None or not had_customer,
    )


@dataclass(frozen=True, slots=True)
class _Look:
    """One look at a tenant's inline projections, and the database's clock just before."""

    conn: AsyncConnection[TupleRow]
    position: int
    now: datetime
    asked: float

    def until(self, expiries: Iterable[datetime | None]) -> tuple[datetime | None, float]:
        """Tells when the first hold expires, by the database's clock and by ours, not later."""
        first = min((each for each in expiries if each is not None), default=None)
        if first is None:
            return None, _NEVER
        return first, self.asked + (first - self.now) / timedelta(seconds=1)


@asynccontextmanager
async def _look(services: Services, tenant_id: TenantId) -> AsyncIterator[_Look]:
    asked = time.monotonic()
    async with reading(services.pool, tenant_id) as conn:
        head = await select_head(conn, tenant_id)
        services.answers.database_clock.read(head.now, asked)
        yield _Look(conn, head.seq, head.now, asked)


def _tagged(
    body: bytes,
    *,
    position: int,
    next_cursor: str | None = None,
    holds_until: datetime | None = None,
    deadline: float = _NEVER,
) -> Entry:
    digest = hashlib.blake2b(body, digest_size=_TAG_BYTES).hexdigest()
    return Entry(
        body=body,
        tag=f'"{digest}"',
        position=position,
        next_cursor=next_cursor,
        holds_until=holds_until,
        deadline=deadline,
    )


def _written(window: Period) -> str:
    return "/".join(time.astimezone(UTC).isoformat() for time in (window.start, window.end))
