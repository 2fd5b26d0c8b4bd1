"""Public pages: which days they show, what is read for them, and how long it may be kept."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from zoneinfo import ZoneInfo

from fastapi import Request
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from api.anonymous_callers import AnonymousCallers
from api.call import call_of
from api.problems.catalogue import NOT_FOUND
from api.problems.problem import FieldError, Problem, ProblemError, validation_failed
from api.publishing import PublicPages
from api.rate_limits import rate_limited
from domain.period import Period
from infra.cdn import resource_tag, tenant_tag
from infra.postgres.pool import Pool, reading
from infra.publishing import OpenedLink, Published, open_link
from projections.position import read_head
from projections.reservation.availability import FreePeriod, read_availability
from projections.reservation.first_expiry import seconds_to_first_expiry

DAYS_SHOWN, MOST_DAYS = 28, 42
DAYS_BACK, DAYS_AHEAD = 31, 400
"""What lies beyond concerns nobody who looks for a free day, and need not be kept anywhere."""

BROWSER_SECONDS = 30
"""Nobody can take back what a browser keeps."""

CDN_SECONDS = 3600
"""Where a CDN is told what has changed; and how long it may help out while we do not answer."""

REVALIDATE_SECONDS = 30

_ON_THE_WAY = 1
"""Seconds that an answer may need to whoever keeps it, and counts its age from there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicPage:
    """What a page shows.

    Attributes:
        name: of the resource.
        zone: in which its days begin.
        today: there, by the database's clock.
        first: the first day shown.
        end: the day after the last.
        free: the free periods of these days, in order.
        headers: at which position of the log that is so, how long it may be kept, and under which
            tags.
    """

    name: str
    zone: ZoneInfo
    today: date
    first: date
    end: date
    free: tuple[FreePeriod, ...]
    headers: dict[str, str]


AskedDays = tuple[date | None, date | None]
"""The first day, and the one after the last; None where that is left to the page."""


async def read_page(
    request: Request, pages: PublicPages, pool: Pool, token: str, asked: AskedDays
) -> PublicPage:
    """Read a public page, whoever asks for it.

    Args:
        request: of anybody.
        pages: what all of them share.
        pool: connections of `booking_api`.
        token: of the address.
        asked: which days.

    Raises:
        ProblemError: there is no such page (not-found), it does not show these days
            (validation-failed), or is read too often (rate-limited).
        WindowTooFull: there are too many claims in these days.
        Overloaded: there is no place, or the database could not be asked in time.
    """
    published = pages.tokens.read(token)
    if published is None:
        raise ProblemError(_no_such_page())
    _count(request, pages.callers, published)
    with pages.callers.place(published.tenant_id):
        async with reading(pool, published.tenant_id) as conn:
            position = (await read_head(conn, published.tenant_id)).seq
            opened = await open_link(conn, published)
            if opened is None:
                raise ProblemError(_no_such_page())
            return await _look(conn, published, opened, asked, position, purged=pages.purged)


async def _look(
    conn: AsyncConnection[TupleRow],
    published: Published,
    opened: OpenedLink,
    asked: AskedDays,
    position: int,
    *,
    purged: bool,
) -> PublicPage:
    zone = ZoneInfo(opened.timezone)
    now = opened.now.astimezone(zone)
    first, end = shown_days(asked, now.date())
    window = Period(midnight(first, zone), midnight(end, zone))
    expiry = await seconds_to_first_expiry(
        conn, tenant_id=published.tenant_id, resource_id=published.resource_id, window=window
    )
    availability = await read_availability(
        conn,
        tenant_id=published.tenant_id,
        resource_ids=[published.resource_id],
        window=window,
        duration=timedelta(0),
    )
    # Other days are shown tomorrow, unless they were named.
    tomorrow = (midnight(now.date() + timedelta(days=1), zone) - now).total_seconds()
    ends = [expiry, None if all(asked) else tomorrow]
    return PublicPage(
        name=opened.name,
        zone=zone,
        today=now.date(),
        first=first,
        end=end,
        free=availability.resources[0].free,
        headers=_headers(
            published, position, [each for each in ends if each is not None], purged=purged
        ),
    )


def shown_days(asked: AskedDays, today: date) -> tuple[date, date]:
    """Tell which days a page shows.

    Args:
        asked: which it was asked for.
        today: where the resource is.

    Returns:
        The first day, and the one after the last.

    Raises:
        ProblemError: it shows none of them, or not so many (validation-failed).
    """
    first = asked[0] or today
    end = asked[1] or first + timedelta(days=DAYS_SHOWN)
    if not first < end <= first + timedelta(days=MOST_DAYS):
        raise _refused("to", f"Expected a date after from, by at most {MOST_DAYS} days")
    earliest, latest = today - timedelta(days=DAYS_BACK), today + timedelta(days=DAYS_AHEAD)
    if first < earliest:
        raise _refused("from", f"Expected a day that is still shown: {earliest} or later")
    if end > latest:
        raise _refused("to", f"Expected a day that is shown already: {latest} or earlier")
    return first, end


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """Tell when a day begins, in UTC.

    Args:
        day: of the calendar.
        zone: where.
    """
    return datetime.combine(day, time_of_day(), zone).astimezone(UTC)


def _count(request: Request, callers: AnonymousCallers, published: Published) -> None:
    address = None if request.client is None else request.client.host
    taken = callers.take(published.tenant_id, address)
    if taken.wait:
        call = call_of(request.scope)
        call.taken, call.rate_limited = taken, True
        raise ProblemError(rate_limited(taken))


def _headers(
    published: Published, position: int, ends: list[float], *, purged: bool
) -> dict[str, str]:
    longest = max(0, int(min(ends) - _ON_THE_WAY)) if ends else CDN_SECONDS
    browser = min(BROWSER_SECONDS, longest)
    cdn = min(CDN_SECONDS, longest) if purged else browser
    return {
        "Event-Position": str(position),
        "Cache-Control": f"public, max-age={browser}",
        "CDN-Cache-Control": f"public, max-age={cdn}, "
        f"stale-while-revalidate={REVALIDATE_SECONDS}, stale-if-error={CDN_SECONDS}",
        "Cache-Tag": f"{tenant_tag(published.tenant_id)},{resource_tag(published.resource_id)}",
    }


def _no_such_page() -> Problem:
    return Problem(kind=NOT_FOUND, detail="There is no such page, or none any more.")


def _refused(name: str, message: str) -> ProblemError:
    return ProblemError(validation_failed(FieldError(pointer=f"/query/{name}", message=message)))
