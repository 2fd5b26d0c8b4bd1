"""The feed: what a listener takes, from wherever it begins, is the log of its room."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from uuid import UUID

import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import TupleRow
from psycopg.sql import SQL, Identifier
from structlog.testing import capture_logs

from domain.commands import Amend, Cancel, Confirm, Reschedule
from domain.customer import Customer
from domain.ids import BookingId, TenantId
from domain.period import Period
from infra.database import Database
from infra.engine import RunningEngine
from infra.errors import Overloaded
from infra.live import EVERY_CUSTOMER, Feed, Heartbeat, LiveChange, Message, Room, TenantFeed
from infra.live.deriving import Part
from infra.live.memory import BLOCK, MOST_REMEMBERED, Memory
from infra.log.reader import Head, select_head
from infra.postgres.embedded import SUPERUSER
from tests.conftest import Server
from tests.engine.conftest import HOUR, NINE, Studio, book, make_tenant
from tests.live.conftest import feed_of

_CUT = """
    select pg_terminate_backend(pid)
      from pg_stat_activity
     where application_name = 'booking_feed' and datname = current_database()
"""

SOON = 5.0
"""Seconds; longer than anything here takes."""


@dataclass
class Client:
    """Whoever listens to a room, by the rule that `infra.live.message` gives."""

    feed: TenantFeed
    room: Room
    began: int
    taken: list[LiveChange] = field(default_factory=list)
    lost: int = 0
    beats: list[Heartbeat] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.last = self.began

    async def join(self) -> None:
        assert await self.feed.reach(self.last)
        for message in self.feed.since(self.last, self.room):
            self.take(message)
        self.leave = self.feed.listen(self.room, self.take)

    def take(self, message: Message | Heartbeat) -> None:
        if isinstance(message, Heartbeat):
            self.beats.append(message)
        elif message.position > self.last:
            self.lost += message.prev > self.last
            self.last = message.position
            self.taken.append(message.change)

    @property
    def positions(self) -> list[int]:
        return [change.position for change in self.taken]


async def everything_told(studio: Studio, feed: TenantFeed) -> None:
    assert await feed.reached(len(studio.log()), SOON)


async def test_whoever_joins_wherever_takes_the_log_of_its_room_without_gap_or_double(
    studio: Studio, feed: Feed
) -> None:
    chance = Random(7)  # noqa: S311 - nothing is kept secret by it
    stages = [await studio.resource(f"Stage {number}") for number in range(3)]
    followed = await feed.follow(studio.tenant_id)
    clients: list[Client] = []

    async def work(hours: range) -> None:
        for hour in hours:
            stage = stages[hour % 3]
            booking = await studio.booked(book(stage, start=NINE + hour * HOUR, status="held"))
            await studio.accepted(Confirm(booking_id=BookingId(booking.id), reason=None))
            await studio.accepted(Cancel(booking_id=BookingId(booking.id), reason=None))

    async def join() -> None:
        for _ in range(12):
            room = chance.choice(
                [Room("tenant", studio.tenant_id), *(Room("resource", each) for each in stages)]
            )
            client = Client(followed, room, chance.randrange(followed.position + 1))
            clients.append(client)
            await client.join()
            await asyncio.sleep(0)

    await asyncio.gather(work(range(10)), work(range(10, 20)), join())
    await everything_told(studio, followed)

    whole = Client(followed, Room("tenant", studio.tenant_id), 0)
    await whole.join()
    assert whole.positions == [event.seq for event in studio.log()]
    assert [change.topic for change in whole.taken] == studio.topics()
    for client in clients:
        assert client.lost == 0
        assert client.positions == [
            each.position
            for each in whole.taken
            if client.room in each.rooms and each.position > client.began
        ]
    assert any(len(client.taken) > 5 for client in clients)


async def test_each_message_names_the_one_before_it_in_its_room(studio: Studio, feed: Feed) -> None:
    mine, other = await studio.resource("Mine"), await studio.resource("Other")
    followed = await feed.follow(studio.tenant_id)
    room = Room("resource", mine)
    told: list[Message] = []
    await everything_told(studio, followed)

    def take(message: Message | Heartbeat) -> None:
        if isinstance(message, Message):
            told.append(message)

    followed.listen(room, take)
    for hour in range(4):
        await studio.booked(book(mine if hour % 2 else other, start=NINE + hour * HOUR))
    await everything_told(studio, followed)

    assert [(each.prev, each.position) for each in told] == [(1, 4), (4, 6)]
    again = followed.since(0, room)
    assert [(each.prev, each.position) for each in again] == [(0, 1), (1, 4), (4, 6)]
    assert [each.prev for each in followed.since(5, room)] == [4]
    assert followed.since(6, room) == []


async def test_a_change_tells_what_a_booking_became_and_what_it_took_and_freed(
    studio: Studio, feed: Feed
) -> None:
    one, two = await studio.resource("One"), await studio.resource("Two")
    customer = Customer(id="c-1", name="Ada", email="ada@example.com", phone=None)
    booking = await studio.booked(book(one, hours=2, status="held", customer=customer))
    moved = Period(NINE + HOUR, NINE + 3 * HOUR)
    await studio.accepted(
        Reschedule(
            booking_id=BookingId(booking.id),
            start_time=moved.start,
            end_time=moved.end,
            resource_ids=(one, two),
        )
    )
    await studio.accepted(Amend(booking_id=BookingId(booking.id), changes={"title": "Finale"}))
    await studio.accepted(Confirm(booking_id=BookingId(booking.id), reason=None))
    await studio.accepted(Cancel(booking_id=BookingId(booking.id), reason="rain"))
    followed = await feed.follow(studio.tenant_id)
    await followed.reach(0)
    await everything_told(studio, followed)

    told = [each.change for each in followed.since(0, Room("booking", booking.id))]
    shown = [change.booking for change in told if change.booking is not None]
    assert [each.status for each in shown] == ["held", "held", "held", "confirmed", "cancelled"]
    assert [each.title for each in shown] == ["Pilot", "Pilot", "Finale", "Finale", "Finale"]
    assert [each.version for each in shown] == [1, 2, 3, 4, 5]
    assert "Ada" not in repr(told)
    assert "ada@" not in repr(told)
    effects = [
        [(each.resource_id, each.taken, each.freed) for each in change.availability]
        for change in told
    ]
    first = Period(NINE, NINE + 2 * HOUR)
    assert effects == [
        [(one, (first,), ())],
        [
            (one, (Period(first.end, moved.end),), (Period(first.start, moved.start),)),
            (two, (moved,), ()),
        ],
        [],
        [],
        [(one, (), (moved,)), (two, (), (moved,))],
    ]
    assert [booking.id in change.touched for change in told] == [True] * 5
    assert [one in change.touched for change in told] == [True, True, False, True, True]
    assert [two in change.touched for change in told] == [False, True, False, True, True]


async def test_a_version_changes_when_what_is_shown_does_and_else_stays(
    studio: Studio, feed: Feed
) -> None:
    one, two = await studio.resource("One"), await studio.resource("Two")
    followed = await feed.follow(studio.tenant_id)
    booking = await studio.booked(book(one))
    await everything_told(studio, followed)

    assert followed.version([one]) == followed.version([booking.id]) == 3
    assert followed.version([two]) == 2
    assert followed.version([one, two]) == 3
    assert followed.version([UUID(int=7)]) == followed.begin == 0
    await studio.accepted(Amend(booking_id=BookingId(booking.id), changes={"title": "Finale"}))
    await everything_told(studio, followed)
    assert followed.version([one]) == 3
    assert followed.version([booking.id]) == 4


async def test_a_forgotten_customer_changes_the_version_of_all_that_shows_personal_data(
    running: RunningEngine, studio: Studio, feed: Feed
) -> None:
    stage = await studio.resource()
    customer = Customer(id="c-1", name="Ada", email=None, phone=None)
    booking = await studio.booked(book(stage, customer=customer))
    assert booking.customer is not None
    followed = await feed.follow(studio.tenant_id)
    await everything_told(studio, followed)
    assert followed.version([EVERY_CUSTOMER]) == 0

    await running.forgetter.forget(studio.caller, booking.customer.key_id, None)
    await everything_told(studio, followed)
    assert followed.version([EVERY_CUSTOMER]) == 3


async def test_a_heartbeat_tells_a_room_where_it_should_be_and_how_far_the_log_is(
    studio: Studio, feed: Feed
) -> None:
    mine, other = await studio.resource("Mine"), await studio.resource("Other")
    followed = await feed.follow(studio.tenant_id)
    client = Client(followed, Room("resource", mine), 0)
    await client.join()
    for hour in range(3):
        await studio.booked(book(other, start=NINE + hour * HOUR))
    await everything_told(studio, followed)
    followed.beat()

    assert client.beats[-1] == Heartbeat(client.room, position=1, head=5)
    client.leave()
    assert followed.rooms == 0


async def test_it_follows_though_nothing_is_heard_any_more(
    studio: Studio, feed: Feed, server: Server, database: Database
) -> None:
    stage = await studio.resource()
    followed = await feed.follow(studio.tenant_id)
    await everything_told(studio, followed)
    name = str(conninfo_to_dict(database.owner_dsn)["dbname"])
    with psycopg.connect(server.postgres.dsn(SUPERUSER, database=name), autocommit=True) as conn:
        assert conn.execute(_CUT).rowcount == 1
    with capture_logs() as lines:
        await studio.booked(book(stage))
        await everything_told(studio, followed)
    assert "postgres.not_listening" in [line["event"] for line in lines]


async def test_what_is_too_long_ago_is_not_reached_and_what_is_not_is(
    studio: Studio, feed: Feed
) -> None:
    stage = await studio.resource()
    booking = await studio.booked(book(stage))
    for number in range(BLOCK):
        await studio.accepted(
            Amend(booking_id=BookingId(booking.id), changes={"title": f"Take {number}"})
        )
    followed = await feed.follow(studio.tenant_id)
    await everything_told(studio, followed)

    assert followed.begin == BLOCK
    with pytest.raises(LookupError):
        followed.since(1, Room("booking", booking.id))
    with altered(studio, 3, "metadata", "7"):
        assert not await followed.reach(1)
    assert await followed.reach(1)
    assert followed.begin == 0
    told = followed.since(1, Room("booking", booking.id))
    assert [each.position for each in told] == [*range(2, BLOCK + 3)]
    assert [each.prev for each in told] == [0, *range(2, BLOCK + 2)]


async def test_what_is_forgotten_while_more_is_remembered_leaves_no_gap_behind(
    studio: Studio, feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.live.memory.BLOCK", 4)
    for number in range(9):
        await studio.resource(f"Stage {number}")
    followed = await feed.follow(studio.tenant_id)
    await everything_told(studio, followed)
    assert followed.begin == 8
    derive, forgotten = followed._deriving.changes, 0

    async def forgetting_once(part: Part) -> Sequence[LiveChange]:
        nonlocal forgotten
        changes = await derive(part)
        if not forgotten:
            followed.forget_a_block()
            forgotten = followed.begin
        return changes

    monkeypatch.setattr(followed._deriving, "changes", forgetting_once)
    assert await followed.reach(0)
    assert forgotten == 9
    told = followed.since(0, Room("tenant", studio.tenant_id))
    assert [(each.prev, each.position) for each in told] == [(at, at + 1) for at in range(9)]


async def test_another_tenants_events_reach_no_listener(
    running: RunningEngine, studio: Studio, feed: Feed, database: Database
) -> None:
    other = Studio(running.engine, make_tenant(database, "orion"), database.owner_dsn)
    theirs = await other.resource("Theirs")
    mine, others = await feed.follow(studio.tenant_id), await feed.follow(other.tenant_id)
    listening = [
        Client(mine, room, 0)
        for room in (
            Room("tenant", studio.tenant_id),
            Room("tenant", other.tenant_id),
            Room("resource", theirs),
        )
    ]
    for client in listening:
        await client.join()
    await other.booked(book(theirs))
    await studio.resource("Mine")
    await everything_told(other, others)
    await everything_told(studio, mine)

    assert [client.positions for client in listening] == [[1], [], []]
    assert listening[0].taken[0].topic == "resource.registered"


@contextmanager
def altered(studio: Studio, seq: int, column: str, strange: str) -> Iterator[None]:
    """An event is there that nobody can read."""
    named = Identifier(column)
    with psycopg.connect(studio.owner_dsn, autocommit=True) as conn:
        [[known]] = conn.execute(
            SQL("select {}::text from booking.event where seq = %s").format(named), [seq]
        )
        change = SQL("update booking.event set {} = %s where seq = %s").format(named)
        conn.execute(change, [strange, seq])
        yield
        conn.execute(change, [known, seq])


@pytest.mark.parametrize(("column", "strange"), [("topic", "booking.painted"), ("metadata", "7")])
async def test_an_event_that_cannot_be_read_is_told_to_nobody_and_known_to_be_missing(
    running: RunningEngine,
    studio: Studio,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    column: str,
    strange: str,
) -> None:
    monkeypatch.setattr("infra.live.feed.BEGIN_SECONDS", 0.1)
    monkeypatch.setattr("infra.live.tenant_feed.AGAIN_SECONDS", 0.01)
    await studio.booked(book(await studio.resource()))
    with capture_logs() as lines:
        async with feed_of(running, database) as fresh:
            with altered(studio, 2, column, strange):
                with pytest.raises(Overloaded):
                    await fresh.follow(studio.tenant_id)
                blind = fresh.followed(studio.tenant_id)
                assert blind is not None
                assert not await blind.current(0.1)
                async with asyncio.timeout(SOON):
                    assert not await blind.caught_up(0, seconds=3600)
            assert await blind.current(SOON)
            assert await blind.caught_up(2, SOON)
    told = [line["event"] for line in lines if line["event"].startswith("feed.")]
    assert told == ["feed.cannot_read", "feed.follows_again"]


def change(position: int, *touched: UUID) -> LiveChange:
    return LiveChange(
        position=position,
        topic="booking.amended",
        time=NINE + timedelta(seconds=position),
        actor="key:1",
        booking=None,
        resource=None,
        availability=(),
        rooms=frozenset(),
        touched=frozenset(touched),
    )


def test_a_memory_forgets_whole_blocks_and_never_what_came_last() -> None:
    memory, old, new = Memory(0), UUID(int=1), UUID(int=2)
    memory.append(change(1, old))
    for position in range(2, MOST_REMEMBERED + 1):
        memory.append(change(position, new))
    assert (memory.begin, memory.version([old])) == (0, 1)

    memory.append(change(MOST_REMEMBERED + 1, new))
    assert memory.begin == BLOCK
    assert memory.version([old]) == BLOCK
    assert memory.version([old, new]) == memory.position == MOST_REMEMBERED + 1
    assert next(memory.after(BLOCK)).position == BLOCK + 1


def test_what_is_remembered_later_of_what_came_before_hides_nothing_newer() -> None:
    often, twice, once = (UUID(int=number) for number in (1, 2, 3))
    memory = Memory(BLOCK)
    memory.append(change(BLOCK + 1, often))
    earlier = {1: (often, twice, once), 2: (often, twice)}
    memory.prepend([change(at, *earlier.get(at, ())) for at in range(1, BLOCK + 1)])
    assert memory.begin == 0
    assert [memory.version([each]) for each in (often, twice, once)] == [BLOCK + 1, 2, 1]


async def test_a_look_that_failed_is_made_again_though_nothing_more_is_heard(
    studio: Studio, running: RunningEngine, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0

    async def fails_once(conn: AsyncConnection[TupleRow], tenant_id: TenantId) -> Head:
        nonlocal looks
        looks += 1
        if looks == 1:
            raise Overloaded
        return await select_head(conn, tenant_id)

    async with feed_of(running, database, poll_seconds=3600) as feed:
        followed = await feed.follow(studio.tenant_id)
        await studio.resource()
        monkeypatch.setattr("infra.live.tenant_feed.select_head", fails_once)
        followed.wake()
        assert await followed.reached(1, SOON)
    assert looks > 1
