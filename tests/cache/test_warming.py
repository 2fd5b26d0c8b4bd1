"""A process that starts has read the day's calendars before anybody asks."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from redis import Redis

from api.warming import todays, warming
from domain.period import Period
from infra.cache.recent import KEY, MOST, RecentCalendar
from tests.cache.conftest import World

DAY = timedelta(days=1)
NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)
MIDNIGHT = NOW.replace(hour=0)


@pytest.mark.parametrize(
    ("asked", "warmed"),
    [
        (Period(MIDNIGHT, MIDNIGHT + DAY), Period(MIDNIGHT, MIDNIGHT + DAY)),
        (Period(MIDNIGHT - DAY, MIDNIGHT), Period(MIDNIGHT, MIDNIGHT + DAY)),
        (
            Period(MIDNIGHT - 9 * DAY, MIDNIGHT - 2 * DAY),
            Period(MIDNIGHT - 6 * DAY, MIDNIGHT + DAY),
        ),
        (Period(MIDNIGHT + DAY, MIDNIGHT + 2 * DAY), None),
        (Period(MIDNIGHT - 40 * DAY, MIDNIGHT + DAY), None),
    ],
)
def test_a_window_that_has_passed_is_that_of_today(asked: Period, warmed: Period | None) -> None:
    assert todays(asked, NOW) == warmed


async def test_what_was_asked_for_is_read_where_a_process_starts(world: World) -> None:
    stage = await world.studio.resource()
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    window = f"from={today:%Y-%m-%dT%H:%M:%SZ}&to={today + DAY:%Y-%m-%dT%H:%M:%SZ}"
    path = f"/v1/resources/{stage}/calendar?{window}"
    (one, other), recent = world.processes, world.processes[0].services.answers._recent
    assert recent is not None
    expected = await one.get(path)
    await recent.tell()
    with Redis.from_url(world.redis.url) as client:
        # What others left there does no harm, and does not become more than was said.
        client.zadd(KEY, {f"nonsense {number}": number for number in range(2 * MOST)})
        backwards = "2027-03-02T00:00:00+00:00/2027-03-01T00:00:00+00:00"
        client.zadd(KEY, {f"{stage}:calendar:{stage}:{backwards}:10": 2 * MOST})
        await one.get(path)
        await recent.tell()
        assert client.zcard(KEY) == MOST
    [calendar] = await recent.last()
    assert isinstance(calendar, RecentCalendar)
    async with warming(other.services, other.services.answers._recent):
        async with asyncio.timeout(5):
            while not other.services.answers._local.entries:
                await other.services.rounds.next()
    assert (await other.get(path)).content == expected.content
    assert other.looks("calendar", "memory", "hit") == 1
