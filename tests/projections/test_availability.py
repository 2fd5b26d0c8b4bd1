"""Availability: what each resource and all of them together leave free."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from domain.ids import ResourceId
from domain.period import Period
from projections.reservation import availability
from projections.reservation.availability import (
    Availability,
    FreePeriod,
    ResourceAvailability,
    WindowTooFull,
    read_availability,
)
from tests.projections.conftest import Studio

DAY = datetime(2026, 3, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)
WORKDAY = Period(DAY + 8 * HOUR, DAY + 18 * HOUR)


def hours(start: int, end: int) -> FreePeriod:
    return DAY + start * HOUR, DAY + end * HOUR


async def available(
    studio: Studio, resource_ids: Sequence[ResourceId], duration: timedelta = HOUR
) -> Availability:
    async with studio.reading() as conn:
        return await read_availability(
            conn,
            tenant_id=studio.tenant_id,
            resource_ids=resource_ids,
            window=WORKDAY,
            duration=duration,
        )


async def test_each_resource_has_its_free_periods_and_all_have_some_in_common(
    studio: Studio,
) -> None:
    stage, camera = studio.has_resource("Stage"), studio.has_resource("Camera")
    studio.has_claim(stage, DAY + 6 * HOUR, DAY + 9 * HOUR)
    studio.has_claim(stage, DAY + 12 * HOUR, DAY + 13 * HOUR)
    studio.has_claim(camera, DAY + 10 * HOUR, DAY + 12 * HOUR)
    studio.has_claim(camera, DAY + 17 * HOUR, DAY + 20 * HOUR)

    found = await available(studio, [camera, stage])

    assert found == Availability(
        resources=(
            ResourceAvailability(camera, (hours(8, 10), hours(12, 17))),
            ResourceAvailability(stage, (hours(9, 12), hours(13, 18))),
        ),
        common=(hours(9, 10), hours(13, 17)),
        unknown=(),
    )


async def test_what_is_too_short_is_not_free_nor_common(studio: Studio) -> None:
    stage, camera = studio.has_resource("Stage"), studio.has_resource("Camera")
    studio.has_claim(stage, DAY + 10 * HOUR, DAY + 14 * HOUR)
    studio.has_claim(camera, DAY + 8 * HOUR, DAY + 9 * HOUR)
    studio.has_claim(camera, DAY + 15 * HOUR, DAY + 16 * HOUR)

    found = await available(studio, [stage, camera], 2 * HOUR)

    assert [resource.free for resource in found.resources] == [
        (hours(8, 10), hours(14, 18)),
        (hours(9, 15), hours(16, 18)),
    ]
    assert found.common == (hours(16, 18),)


async def test_a_hold_past_its_expiry_leaves_its_period_free(studio: Studio) -> None:
    stage = studio.has_resource()
    studio.has_claim(stage, DAY + 7 * HOUR, DAY + 9 * HOUR, expires_in="-1 microsecond")
    studio.has_claim(stage, DAY + 10 * HOUR, DAY + 11 * HOUR, expires_in="-1 hour")
    studio.has_claim(stage, DAY + 12 * HOUR, DAY + 13 * HOUR, expires_in="1 hour")
    studio.has_claim(stage, DAY + 14 * HOUR, DAY + 15 * HOUR, held=True)

    found = await available(studio, [stage])

    assert found.common == (hours(8, 12), hours(13, 14), hours(15, 18))


async def test_a_retired_resource_is_never_free_and_spoils_what_is_common(studio: Studio) -> None:
    stage, old = studio.has_resource("Stage"), studio.has_resource("Old stage", retired=True)
    studio.has_claim(old, DAY + 9 * HOUR, DAY + 10 * HOUR)

    found = await available(studio, [stage, old])

    assert [resource.free for resource in found.resources] == [(hours(8, 18),), ()]
    assert found.common == ()


async def test_unknown_resources_are_named_whoever_else_has_them(
    studio: Studio, neighbour: Studio
) -> None:
    stage, absent = studio.has_resource(), ResourceId(uuid4())
    theirs = neighbour.has_resource()

    found = await available(studio, [absent, stage, theirs, absent])

    assert found.unknown == (absent, theirs)
    assert [resource.resource_id for resource in found.resources] == [stage]


async def test_the_neighbours_bookings_take_nothing(studio: Studio, neighbour: Studio) -> None:
    stage = studio.has_resource()
    neighbour.has_resource(resource_id=stage)
    neighbour.has_claim(stage, DAY + 9 * HOUR, DAY + 10 * HOUR)

    assert (await available(studio, [stage])).common == (hours(8, 18),)


async def test_nothing_known_has_nothing_in_common(studio: Studio) -> None:
    found = await available(studio, [ResourceId(uuid4())])

    assert (found.resources, found.common) == ((), ())


async def test_two_hundred_resources_are_one_question(studio: Studio) -> None:
    rooms = [studio.has_resource(f"Room {number}") for number in range(200)]
    for place, room in enumerate(rooms[:10]):
        studio.has_claim(room, DAY + (8 + place) * HOUR, DAY + (9 + place) * HOUR)

    found = await available(studio, rooms)

    assert [resource.resource_id for resource in found.resources] == rooms
    assert found.common == ()
    assert found.resources[10].free == (hours(8, 18),)


async def test_a_window_with_more_claims_than_can_be_read_is_refused_as_such(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = studio.has_resource()
    for hour in (9, 11, 13):
        studio.has_claim(stage, DAY + hour * HOUR, DAY + (hour + 1) * HOUR)

    monkeypatch.setattr(availability, "MAX_CLAIMS", 3)
    assert len((await available(studio, [stage])).common) == 4
    monkeypatch.setattr(availability, "MAX_CLAIMS", 2)
    with pytest.raises(WindowTooFull, match="more than 2 claims"):
        await available(studio, [stage])
