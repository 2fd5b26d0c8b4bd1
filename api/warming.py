"""Reads the day's calendars before anybody asks: those that were asked for last, as of today."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import structlog

from api.openapi.parameters import MAX_PAGE
from api.questions import Absent, calendar_question
from api.services import Services
from domain.period import Period
from infra.cache.recent import RecentCalendar, RecentCalendars
from infra.ending import end
from infra.errors import Unavailable

log = structlog.get_logger(__name__)

AT_ONCE = 2
"""Of the pool's connections; whoever comes meanwhile needs the others."""

WARMING_SECONDS = 30.0
LONGEST = timedelta(days=31)

_DAY = timedelta(days=1)


@asynccontextmanager
async def warming(services: Services, recent: RecentCalendars | None) -> AsyncIterator[None]:
    """Has calendars read beside the first requests.

    Args:
        services: the caches among them.
        recent: which; None where nobody knows.

    Yields:
        At once.
    """
    if recent is None:
        yield
        return
    task = asyncio.create_task(_warm(services, recent))
    try:
        yield
    finally:
        await end([task])


def todays(window: Period, now: datetime) -> Period | None:
    """Moves a window by whole days, if it has passed, so that it has the present in it.

    Args:
        window: as it was asked for.
        now: the present.

    Returns:
        It; None where it is longer than a month, or yet to come.
    """
    if window.end - window.start > LONGEST:
        return None
    if window.end <= now:
        days = ((now - window.end) // _DAY + 1) * _DAY
        window = Period(window.start + days, window.end + days)
    return window if window.start <= now else None


async def _warm(services: Services, recent: RecentCalendars) -> None:
    calendars = iter(await recent.last())
    try:
        async with asyncio.timeout(WARMING_SECONDS), asyncio.TaskGroup() as tasks:
            for _ in range(AT_ONCE):
                tasks.create_task(_read(services, calendars))
    except TimeoutError:
        log.info("cache.not_warmed")  # the rest is read when somebody asks


async def _read(services: Services, calendars: Iterable[RecentCalendar]) -> None:
    for each in calendars:
        window = todays(each.window, datetime.now(UTC))
        if window is None or not 1 <= each.limit <= MAX_PAGE:
            continue
        question = calendar_question(services, each.tenant_id, each.resource_id, window, each.limit)
        try:
            await services.answers.answer(question, 0)
        except (Absent, LookupError, Unavailable):
            continue  # gone since, or there is more important work
