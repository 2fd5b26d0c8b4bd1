"""What is remembered of streams, and that it never decides what only the log may."""

import asyncio
from uuid import UUID

from domain.commands import Amend, Cancel, Confirm, Release
from domain.errors import CannotRelease
from domain.ids import BookingId, TenantId
from infra.database import Database
from infra.engine import Accepted, CommandRequest, Refused, RunningEngine, running_engine
from infra.engine.loading import RecentStreams
from infra.log.reader import RecordedEvent
from infra.master_key import MasterKey
from infra.telemetry.metrics import Metrics
from tests.engine.conftest import HOUR, NINE, Studio, book


async def test_a_process_may_act_on_what_another_has_changed_since(
    studio: Studio, database: Database, master_key: MasterKey
) -> None:
    stage = await studio.resource()
    hold = BookingId((await studio.booked(book(stage, status="held"))).id)
    async with running_engine(database.runtime_dsn, master_key, Metrics()) as other:
        elsewhere = Studio(other.engine, studio.tenant_id, studio.owner_dsn)
        await elsewhere.accepted(Confirm(booking_id=hold, reason=None))
    release = CommandRequest(Release(booking_id=hold, reason=None))
    result = await studio.engine.execute(studio.caller, release)  # remembered as held
    assert isinstance(result, Refused)
    assert isinstance(result.error, CannotRelease)
    cancel = CommandRequest(Cancel(booking_id=hold, reason=None))
    assert isinstance(await studio.engine.execute(studio.caller, cancel), Accepted)


async def test_a_change_that_is_none_any_more_is_decided_on_the_log(
    studio: Studio, database: Database, master_key: MasterKey
) -> None:
    stage = await studio.resource()
    booking = BookingId((await studio.booked(book(stage, title="Pilot"))).id)
    async with running_engine(database.runtime_dsn, master_key, Metrics()) as other:
        elsewhere = Studio(other.engine, studio.tenant_id, studio.owner_dsn)
        await elsewhere.accepted(Amend(booking_id=booking, changes={"title": "Finale"}))
    accepted = await studio.accepted(Amend(booking_id=booking, changes={"title": "Pilot"}))
    assert accepted.aggregate.version == 3
    assert studio.topics()[-1] == "booking.amended"


async def test_what_is_remembered_equals_what_is_loaded(
    studio: Studio, running: RunningEngine
) -> None:
    stage = await studio.resource()
    hold = BookingId((await studio.booked(book(stage, status="held"))).id)
    await studio.accepted(Confirm(booking_id=hold, reason=None))
    recent = running.engine._loader.recent(studio.tenant_id, {hold}, NINE)
    fresh = await running.engine._loader.fresh(studio.tenant_id, {hold})
    assert recent is not None
    assert recent.loaded == fresh.loaded


async def test_loads_that_wait_together_see_all_that_was_there_before_them(studio: Studio) -> None:
    stage = await studio.resource()
    bookings = [
        BookingId((await studio.booked(book(stage, start=NINE + i * HOUR))).id) for i in range(20)
    ]
    found = await asyncio.gather(
        *(studio.engine.booking(studio.tenant_id, booking) for booking in [*bookings, *bookings])
    )
    assert [one.aggregate.id for one in found if one is not None] == [*bookings, *bookings]


def test_memory_of_streams_is_bounded() -> None:
    tenant = TenantId(UUID(int=1))
    recent = RecentStreams(most_events=10, longest_stream=4)

    def events(stream: int, number: int) -> list[RecordedEvent]:
        return [
            RecordedEvent(version, UUID(int=stream), version, "t", "{}", "{}", NINE)
            for version in range(1, number + 1)
        ]

    for stream in range(100):
        recent.remember(tenant, UUID(int=stream), events(stream, 3))
    assert [recent.recall(tenant, UUID(int=stream)) is None for stream in (96, 97, 98, 99)] == [
        True,
        False,
        False,
        False,
    ]
    recent.remember(tenant, UUID(int=97), events(97, 2))  # older than what is known
    assert recent.recall(tenant, UUID(int=97)) == events(97, 3)
    recent.remember(tenant, UUID(int=97), events(97, 5))  # too long to keep
    assert recent.recall(tenant, UUID(int=97)) is None


def test_a_stream_is_followed_only_where_nothing_of_it_is_missing() -> None:
    tenant, stream = TenantId(UUID(int=1)), UUID(int=2)
    recent = RecentStreams(most_events=10, longest_stream=3)
    first, second, third, fourth = (
        RecordedEvent(version, stream, version, "t", "{}", "{}", NINE) for version in range(1, 5)
    )
    recent.follow(tenant, second)
    assert recent.recall(tenant, stream) is None
    recent.follow(tenant, first)
    recent.follow(tenant, third)
    assert recent.recall(tenant, stream) == [first]
    recent.follow(tenant, second)
    recent.follow(tenant, second)
    assert recent.recall(tenant, stream) == [first, second]
    recent.follow(tenant, third)
    recent.follow(tenant, fourth)  # too long to keep
    assert recent.recall(tenant, stream) is None
    for other in range(10):
        recent.follow(tenant, RecordedEvent(other, UUID(int=3 + other), 1, "t", "{}", "{}", NINE))
    assert all(recent.recall(tenant, UUID(int=3 + other)) for other in range(10))
