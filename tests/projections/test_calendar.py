"""The calendar of a resource: what is in it, what no longer is, and how its pages are turned."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from domain.ids import BookingId, ResourceId
from domain.period import Period
from projections.reservation.calendar import (
    BEGINNING,
    CalendarEntry,
    CalendarMark,
    CalendarPage,
    read_calendar,
)
from tests.projections.conftest import Studio

DAY = datetime(2026, 3, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)
WORKDAY = Period(DAY + 8 * HOUR, DAY + 18 * HOUR)


async def calendar(
    studio: Studio,
    resource_id: ResourceId,
    window: Period = WORKDAY,
    *,
    after: CalendarMark = BEGINNING,
    limit: int = 100,
) -> CalendarPage:
    async with studio.reading() as conn:
        page = await read_calendar(
            conn,
            tenant_id=studio.tenant_id,
            resource_id=resource_id,
            window=window,
            after=after,
            limit=limit,
        )
    assert page is not None
    return page


async def bookings(studio: Studio, resource_id: ResourceId) -> list[BookingId]:
    return [entry.booking_id for entry in (await calendar(studio, resource_id)).entries]


async def test_an_entry_says_who_has_the_resource_and_when(studio: Studio) -> None:
    stage = studio.has_resource()
    booking = studio.has_claim(stage, DAY + 9 * HOUR, DAY + 10 * HOUR)
    hold = studio.has_claim(stage, DAY + 10 * HOUR, DAY + 11 * HOUR, expires_in="1 hour")

    first, second = (await calendar(studio, stage)).entries

    assert first == CalendarEntry(
        stage, booking, DAY + 9 * HOUR, DAY + 10 * HOUR, "confirmed", None
    )
    assert (second.booking_id, second.status) == (hold, "held")
    assert second.hold_expires_at is not None
    assert second.hold_expires_at.utcoffset() == timedelta(0)


async def test_what_reaches_into_the_window_counts_and_what_only_touches_it_does_not(
    studio: Studio,
) -> None:
    stage = studio.has_resource()
    studio.has_claim(stage, DAY, DAY + 1 * HOUR)
    reaches_in = studio.has_claim(stage, DAY + 7 * HOUR, DAY + 9 * HOUR)
    reaches_out = studio.has_claim(stage, DAY + 17 * HOUR, DAY + 30 * HOUR)
    assert await bookings(studio, stage) == [reaches_in, reaches_out]

    studio.forgets([reaches_in, reaches_out])
    studio.has_claim(stage, DAY + 7 * HOUR, WORKDAY.start)
    studio.has_claim(stage, WORKDAY.end, DAY + 19 * HOUR)
    assert await bookings(studio, stage) == []


async def test_what_covers_the_whole_window_is_shown(studio: Studio) -> None:
    stage = studio.has_resource()
    covering = studio.has_claim(stage, DAY - 300 * HOUR, DAY + 300 * HOUR)

    assert await bookings(studio, stage) == [covering]


async def test_a_hold_is_gone_at_its_expiry_though_nobody_has_recorded_that(
    studio: Studio,
) -> None:
    stage = studio.has_resource()
    studio.has_claim(stage, DAY + 7 * HOUR, DAY + 9 * HOUR, expires_in="-1 microsecond")
    studio.has_claim(stage, DAY + 9 * HOUR, DAY + 10 * HOUR, expires_in="-1 hour")
    unlimited = studio.has_claim(stage, DAY + 10 * HOUR, DAY + 11 * HOUR, held=True)
    lasting = studio.has_claim(stage, DAY + 11 * HOUR, DAY + 12 * HOUR, expires_in="1 hour")

    assert await bookings(studio, stage) == [unlimited, lasting]


async def test_only_that_resource_of_that_tenant_is_shown(
    studio: Studio, neighbour: Studio
) -> None:
    stage = studio.has_resource()
    mine = studio.has_claim(stage, DAY + 9 * HOUR, DAY + 10 * HOUR)
    studio.has_claim(studio.has_resource("Stage 2"), DAY + 9 * HOUR, DAY + 10 * HOUR)
    neighbour.has_resource(resource_id=stage)
    neighbour.has_claim(stage, DAY + 11 * HOUR, DAY + 12 * HOUR)

    assert await bookings(studio, stage) == [mine]


async def test_an_unknown_resource_has_no_calendar_not_an_empty_one(
    studio: Studio, neighbour: Studio
) -> None:
    theirs = neighbour.has_resource()
    for unknown in (ResourceId(uuid4()), theirs):
        async with studio.reading() as conn:
            page = await read_calendar(
                conn,
                tenant_id=studio.tenant_id,
                resource_id=unknown,
                window=WORKDAY,
                limit=10,
            )
        assert page is None


async def test_a_retired_resource_still_shows_what_was_booked(studio: Studio) -> None:
    stage = studio.has_resource(retired=True)
    booking = studio.has_claim(stage, DAY + 9 * HOUR, DAY + 10 * HOUR)

    assert await bookings(studio, stage) == [booking]


async def test_pages_put_together_are_the_whole_calendar(studio: Studio) -> None:
    stage = studio.has_resource()
    expected = [studio.has_claim(stage, DAY + 7 * HOUR, DAY + 9 * HOUR)]
    expected += [
        studio.has_claim(stage, DAY + hour * HOUR, DAY + (hour + 1) * HOUR) for hour in range(9, 17)
    ]
    for limit in (1, 2, 3, 8, 9, 10):
        seen: list[BookingId] = []
        sizes: list[int] = []
        after: CalendarMark | None = BEGINNING
        while after is not None:
            page = await calendar(studio, stage, after=after, limit=limit)
            seen += [entry.booking_id for entry in page.entries]
            sizes.append(len(page.entries))
            after = page.next_after

        assert seen == expected
        assert all(size == limit for size in sizes[:-1])
        assert sizes[-1] > 0


async def test_a_page_is_not_shifted_by_what_comes_and_goes_before_it(studio: Studio) -> None:
    stage = studio.has_resource()
    early, middle, late = (
        studio.has_claim(stage, DAY + hour * HOUR, DAY + (hour + 1) * HOUR) for hour in (9, 11, 13)
    )
    page = await calendar(studio, stage, limit=2)
    assert page.next_after == CalendarMark(DAY + 11 * HOUR, middle)

    studio.forgets([early, middle])
    studio.has_claim(stage, DAY + 8 * HOUR, DAY + 9 * HOUR, booking_id=UUID(int=1))
    rest = await calendar(studio, stage, after=page.next_after, limit=2)

    assert [entry.booking_id for entry in rest.entries] == [late]
