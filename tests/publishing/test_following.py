"""What changes a public page is purged from the CDN: all of it, nothing else, and never lost."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from structlog.testing import capture_logs

from api.projecting import run_projector
from domain.commands import (
    Amend,
    Cancel,
    ChangeResource,
    Confirm,
    Lapse,
    Release,
    Reschedule,
    RetireResource,
)
from domain.ids import BookingId, ResourceId
from infra.cdn import PurgeFailed, resource_tag
from infra.circuit_breaker import CircuitOpen
from infra.engine import Accepted, Command, CommandRequest
from infra.publishing.following import BURST, FAILURES, PAUSE_SECONDS, PublicPageFollower
from infra.settings import Settings
from tests.clock import Clock
from tests.engine.conftest import HOUR, NINE, Studio, book, make_tenant
from tests.publishing.conftest import Publishing
from tests.publishing.local_cloudflare import TOKEN, ZONE, Reply
from tests.publishing.purgers import purger
from tests.rebuilding.wandering import Wanderer

LONG = 20.0
"""Seconds after which something has gone wrong."""

_SHOWN = """
select resource.resource_id, resource.name, resource.timezone, resource.retired,
       (select array_agg((start_time, end_time)::text order by start_time)
          from booking.reservation
         where reservation.resource_id = resource.resource_id)
  from booking.resource
"""
_UNKNOWN = """
update booking.event set topic = 'booking.of_another_time'
 where tenant_id = %s and seq = (select max(seq) from booking.event where tenant_id = %s)
"""


def tags(*resources: ResourceId) -> list[str]:
    return [resource_tag(resource_id) for resource_id in resources]


async def until_purged(publishing: Publishing) -> None:
    """Wait until all that has happened is counted, and all that is stale was purged."""
    async with asyncio.timeout(LONG):
        while publishing.is_behind() or publishing.stale():  # noqa: ASYNC110 - another's doing
            await asyncio.sleep(0.02)


@asynccontextmanager
async def at_work(follower: PublicPageFollower, dsn: str) -> AsyncIterator[None]:
    working = asyncio.create_task(follower.run(dsn))
    try:
        yield
    finally:
        working.cancel()
        await asyncio.wait({working})


# What changes a page


async def test_a_page_is_stale_after_what_changes_it_and_after_nothing_else(
    studio: Studio, publishing: Publishing
) -> None:
    one, two, private = [await studio.resource(name) for name in ("One", "Two", "Private")]
    await publishing.publish(studio, one, two)
    soon = datetime.now(UTC) + timedelta(seconds=0.7)
    made = [
        book(one, private, status="held"),
        book(two),
        book(one, start=NINE + 9 * HOUR, status="held", hold_expires_at=soon),
    ]
    ids = [each.booking_id for each in made]

    steps: list[tuple[Command, set[ResourceId]]] = [
        (made[2], {one}),
        (made[0], {one}),
        (made[1], {two}),
        (Amend(booking_id=ids[0], changes={"title": "Other"}), set()),
        (Confirm(booking_id=ids[0], reason=None), set()),
        (_moved(ids[0], start_time=NINE + HOUR, end_time=NINE + 2 * HOUR), {one}),
        (_moved(ids[0], resource_ids=(two, private)), {one, two}),
        (_moved(ids[0], resource_ids=(private,)), {two}),
        (_moved(ids[0], resource_ids=(one,)), {one}),
        (Cancel(booking_id=ids[0], reason=None), {one}),
        (Lapse(booking_id=ids[2]), {one}),
        (ChangeResource(resource_id=two, changes={"name": "Second"}), {two}),
        (ChangeResource(resource_id=private, changes={"name": "Third"}), set()),
        (RetireResource(resource_id=one), {one}),
    ]
    async with publishing.follower() as follower:
        for command, changed in steps:
            async with asyncio.timeout(LONG):  # a hold lapses when its time has come
                while not await done(studio, command):  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            await follower.catch_up()
            assert publishing.stale() == changed, command
            assert publishing.checkpoint(studio.tenant_id) == len(studio.log())
            if changed:
                assert await follower.purge_once() == len(changed)
                assert sorted(publishing.cloudflare.requests[-1][1]) == sorted(tags(*changed))
            assert await follower.purge_once() == 0
    assert publishing.cloudflare.malformed == []


def _moved(
    booking_id: BookingId,
    *,
    start_time: datetime | None = None,
    end_time: datetime | None = None,
    resource_ids: tuple[ResourceId, ...] | None = None,
) -> Reschedule:
    return Reschedule(
        booking_id=booking_id, start_time=start_time, end_time=end_time, resource_ids=resource_ids
    )


async def done(studio: Studio, command: Command) -> bool:
    return isinstance(await studio.engine.execute(studio.caller, CommandRequest(command)), Accepted)


async def test_no_change_of_what_is_shown_is_missed(studio: Studio, publishing: Publishing) -> None:
    resources = [await studio.resource(f"Stage {number}") for number in range(3)]
    await publishing.publish(studio, *resources)
    wanderer = Wanderer(studio, 7, [*resources])
    changes = 0
    with psycopg.connect(publishing.database.owner_dsn, autocommit=True) as owner:
        async with publishing.follower() as follower:
            before = {row[0]: row for row in owner.execute(_SHOWN)}
            for _ in range(70):
                await wanderer.step()
                after = {row[0]: row for row in owner.execute(_SHOWN)}
                changed = {each for each in resources if before[each] != after[each]}
                await follower.catch_up()
                assert changed <= publishing.stale()
                owner.execute("update booking.public_link set stale_since = null")
                changes += len(changed)
                before = after
    assert changes > 15


async def test_a_released_hold_and_a_revoked_link_are_purged(
    studio: Studio, publishing: Publishing
) -> None:
    one, two = await studio.resource(), await studio.resource()
    held = await studio.booked(book(one, status="held"))
    first, _ = await publishing.publish(studio, one, two)
    async with publishing.follower() as follower:
        await studio.accepted(Release(booking_id=BookingId(held.id), reason=None))
        await follower.catch_up()
        assert publishing.stale() == {one}
        assert await publishing.unpublish(studio, two)
        assert not await publishing.unpublish(studio, two)
        assert publishing.stale() == {one, two}
        assert await follower.purge_once() == 2

        # What nobody can read any more need not be purged again.
        await publishing.unpublish(studio, one)
        await follower.purge_once()
        await studio.booked(book(one))
        await follower.catch_up()
        assert publishing.stale() == set()
        assert publishing.checkpoint(studio.tenant_id) == len(studio.log())
        [again] = await publishing.publish(studio, one)
        assert again.link_id != first.link_id
        await studio.booked(book(one, start=NINE + 5 * HOUR))
        await follower.catch_up()
        assert publishing.stale() == {one}


async def test_bookings_and_revocations_are_announced_to_whoever_purges(
    studio: Studio, publishing: Publishing
) -> None:
    one = await studio.resource()
    await publishing.publish(studio, one)
    async with (
        following_now(publishing, poll_seconds=10 * LONG, gather_seconds=0.0) as follower,
        at_work(follower, publishing.database.runtime_dsn),
    ):
        async with asyncio.timeout(LONG):  # until it listens
            while not publishing.cloudflare.requests:
                await studio.booked(book(one, start=NINE + len(studio.log()) * HOUR))
                await asyncio.sleep(0.1)
        await until_purged(publishing)
        purges = len(publishing.cloudflare.requests)
        await publishing.unpublish(studio, one)
        await until_purged(publishing)
    assert len(publishing.cloudflare.requests) == purges + 1


async def test_what_happened_before_the_first_link_is_nobodys_to_purge(
    studio: Studio, publishing: Publishing
) -> None:
    one = await studio.resource()
    await studio.booked(book(one))
    await publishing.publish(studio, one)
    assert publishing.checkpoint(studio.tenant_id) == len(studio.log())
    async with publishing.follower() as follower:
        await follower.catch_up()
        assert await follower.purge_once() == 0
    assert publishing.cloudflare.requests == []


async def test_a_log_that_cannot_be_read_keeps_no_other_tenant_waiting(
    studio: Studio, publishing: Publishing
) -> None:
    other = Studio(
        studio.engine, make_tenant(publishing.database, "other"), publishing.database.owner_dsn
    )
    private = Studio(
        studio.engine, make_tenant(publishing.database, "private"), publishing.database.owner_dsn
    )
    one, theirs, revoked = [await each.resource() for each in (studio, other, private)]
    for each, resource in ((studio, one), (other, theirs), (private, revoked)):
        await publishing.publish(each, resource)
        await each.booked(book(resource))
    with psycopg.connect(publishing.database.owner_dsn) as owner:
        for unreadable in (studio, private):
            owner.execute(_UNKNOWN, [unreadable.tenant_id, unreadable.tenant_id])
    await publishing.unpublish(private, revoked)  # so that nobody has to read its log
    with capture_logs() as lines:
        async with publishing.follower() as follower:
            await follower.catch_up()
    assert publishing.stale() == {theirs, revoked}
    assert publishing.checkpoint(private.tenant_id) == 2
    assert [line["tenant_id"] for line in lines] == [str(studio.tenant_id)]
    assert lines[0]["event"] == "public_pages.cannot_follow"


# How it is purged


async def test_many_changes_are_few_purges(studio: Studio, publishing: Publishing) -> None:
    resources = [await studio.resource() for _ in range(130)]
    await publishing.publish(studio, *resources)
    for number in range(4):
        await studio.booked(book(*resources[:100], start=NINE + number * HOUR))
    for start in range(0, 130, 26):
        await studio.booked(book(*resources[start : start + 26], start=NINE + 9 * HOUR))
    async with publishing.follower() as follower:
        await follower.catch_up()
        assert [await follower.purge_once() for _ in range(3)] == [100, 30, 0]
    assert sorted(publishing.cloudflare.tags) == sorted(tags(*resources))


async def test_purges_keep_to_the_rate_and_what_waits_is_gathered(
    studio: Studio, publishing: Publishing
) -> None:
    resources = [await studio.resource() for _ in range(5)]
    await publishing.publish(studio, *resources)
    clock, requests = Clock(), publishing.cloudflare.requests
    async with (
        publishing.follower(clock, purges_a_minute=60.0, gather_seconds=0.0) as follower,
        at_work(follower, publishing.database.runtime_dsn),
    ):
        for number in range(BURST):
            await studio.booked(book(resources[0], start=NINE + number * HOUR))
            await follower.catch_up()
            await until_purged(publishing)
        assert len(requests) == BURST
        for one in resources:
            await studio.booked(book(one, start=NINE + 100 * HOUR))
            await follower.catch_up()
            await asyncio.sleep(0.03)  # time enough for whoever would not wait for a token
        assert (len(requests), publishing.stale()) == (BURST, {*resources})
        clock.seconds += 1
        await until_purged(publishing)
    assert [sorted(named) for _, named in requests[BURST:]] == [sorted(tags(*resources))]


@asynccontextmanager
async def following_now(
    publishing: Publishing, **settings: float
) -> AsyncIterator[PublicPageFollower]:
    """One that goes by the time, and looks by itself now and then only."""
    async with publishing.follower(Ticking(), **settings) as follower:
        yield follower


class Ticking(Clock):
    """The time, as it passes."""

    def __call__(self) -> float:
        return time.monotonic()


async def test_what_the_cdn_does_not_take_is_tried_again_until_it_does(
    studio: Studio, publishing: Publishing
) -> None:
    one = await studio.resource()
    await publishing.publish(studio, one)
    publishing.cloudflare.replies += [
        Reply(429, headers={"Retry-After": "1"}),
        Reply(500),
        Reply(200, '{"success": false, "errors": [{"code": 1107}]}'),
        Reply(200, "not json"),
    ]
    async with (
        following_now(publishing, backoff_seconds=0.01, gather_seconds=0.0) as follower,
        at_work(follower, publishing.database.runtime_dsn),
    ):
        await studio.booked(book(one))
        await until_purged(publishing)
    came = [when for when, _ in publishing.cloudflare.requests]
    assert len(came) == 5
    assert came[1] - came[0] >= 1.0


async def test_a_cdn_that_does_not_answer_is_left_alone_and_keeps_nothing_from_being_counted(
    studio: Studio, publishing: Publishing
) -> None:
    one, two = await studio.resource(), await studio.resource()
    await publishing.publish(studio, one, two)
    clock = Clock()
    async with publishing.follower(clock) as follower:
        await studio.booked(book(one))
        await follower.catch_up()
        publishing.cloudflare.replies += [Reply(500)] * (FAILURES + 1)
        for _ in range(FAILURES):
            with pytest.raises(PurgeFailed, match="it answers 500"):
                await follower.purge_once()
        with pytest.raises(CircuitOpen):
            await follower.purge_once()
        assert len(publishing.cloudflare.requests) == FAILURES

        await studio.booked(book(two))
        await follower.catch_up()
        assert publishing.stale() == {one, two}
        await follower.measure()
        behind = publishing.lag()
        assert (behind.events, behind.parked, 0 < behind.seconds < LONG) == (2, 0, True)
        clock.seconds += PAUSE_SECONDS
        with pytest.raises(PurgeFailed):
            await follower.purge_once()
        with pytest.raises(CircuitOpen):
            await follower.purge_once()
        clock.seconds += PAUSE_SECONDS
        assert await follower.purge_once() == 2
        await follower.measure()
    assert publishing.stale() == set()
    assert (publishing.lag().events, publishing.lag().seconds) == (0, 0)


async def test_what_changes_while_it_is_purged_is_purged_again(
    studio: Studio, publishing: Publishing
) -> None:
    one, two = await studio.resource(), await studio.resource()
    await publishing.publish(studio, one, two)
    server = publishing.cloudflare
    async with publishing.follower() as follower, publishing.follower() as another:
        await studio.booked(book(one, two))
        await follower.catch_up()
        server.open.clear()
        purging = asyncio.create_task(follower.purge_once())
        assert await asyncio.to_thread(server.came.acquire, timeout=LONG)
        await studio.booked(book(one, start=NINE + 2 * HOUR))
        await another.catch_up()
        assert await another.purge_once() == 0  # one at a time
        server.open.set()
        assert await purging == 2
        assert publishing.stale() == {one}
        assert await another.purge_once() == 1
    assert publishing.stale() == set()


async def test_a_purger_that_is_killed_before_its_purge_is_noted_is_followed_by_another(
    studio: Studio, publishing: Publishing
) -> None:
    one = await studio.resource()
    await publishing.publish(studio, one)
    server, dsn = publishing.cloudflare, publishing.database.runtime_dsn
    server.open.clear()
    with purger(dsn, server.endpoint) as first:
        await studio.booked(book(one))
        assert await asyncio.to_thread(server.came.acquire, timeout=LONG)
        first.kill()
        first.join()
    assert publishing.stale() == {one}
    server.open.set()
    with purger(dsn, server.endpoint):
        await until_purged(publishing)
    assert server.tags == tags(one) * 2


async def test_the_projector_purges_where_a_cdn_is_set(
    studio: Studio, publishing: Publishing
) -> None:
    one = await studio.resource()
    await publishing.publish(studio, one)
    settings = Settings(
        CLOUDFLARE_ZONE_ID=ZONE,
        CLOUDFLARE_API_TOKEN=TOKEN,
        CLOUDFLARE_API=publishing.cloudflare.endpoint,
    )
    dsn = publishing.database.runtime_dsn
    projecting = asyncio.create_task(run_projector(dsn, settings))
    await studio.booked(book(one))
    await until_purged(publishing)
    projecting.cancel()
    await asyncio.wait({projecting})
    assert publishing.cloudflare.tags == tags(one)
    assert publishing.cloudflare.malformed == []
