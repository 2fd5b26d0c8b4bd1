"""The log's one door decides a call's commands as if they had come one by one."""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import repeat
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import AsyncConnection

from domain.claims import Claim, ReservationChanges
from domain.ids import BookingId, ResourceId, TenantId
from infra.access import create_tenant
from infra.database import Database
from infra.engine.assembly import LAPSE
from infra.identity import new_id
from infra.log.append import AppendCommand, NewEvent, Outcome, ResourceRow, Verdict, append_batch
from infra.log.hash_chain import first_break
from tests.whole_log import whole_log

DAY = datetime(2027, 1, 1, tzinfo=UTC)
RESOURCES = [ResourceId(UUID(int=number)) for number in range(1, 5)]
RETIRED, UNKNOWN = RESOURCES[3], ResourceId(UUID(int=99))


@dataclass(frozen=True)
class Wish:
    """What one booking of a command shall claim from now on; nothing at all gives it up."""

    booking: int
    resources: frozenset[int]
    start: int
    hours: int

    @property
    def booking_id(self) -> BookingId:
        return BookingId(UUID(int=1000 + self.booking))

    def claims(self) -> list[Claim]:
        begin = DAY + timedelta(hours=self.start)
        end = begin + timedelta(hours=self.hours)
        places = [*RESOURCES, UNKNOWN]
        return [
            Claim(places[number], self.booking_id, begin, end, "confirmed", None)
            for number in sorted(self.resources)
        ]


@dataclass(frozen=True)
class Ask:
    """One command: the wishes of one or two bookings, its key, and the series it belongs to."""

    wishes: tuple[Wish, ...]
    key: str | None
    series: str | None = None


wishes = st.builds(
    Wish,
    booking=st.integers(0, 9),
    resources=st.frozensets(st.sampled_from([0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 4]), max_size=3),
    start=st.integers(0, 6),
    hours=st.integers(1, 3),
)
asks = st.builds(
    Ask,
    wishes=st.lists(wishes, min_size=1, max_size=2, unique_by=lambda wish: wish.booking).map(tuple),
    key=st.none() | st.sampled_from("abc"),
    series=st.none() | st.sampled_from("xy"),
)


@dataclass
class Model:
    """The rule of the game in a few lines: nobody's claims overlap, and a key is answered once."""

    claims: dict[BookingId, list[Claim]] = field(default_factory=dict)
    versions: dict[UUID, int] = field(default_factory=dict)
    receipts: dict[str, tuple[Ask, Verdict]] = field(default_factory=dict)

    def decide_all(self, asks: Sequence[Ask], known: Mapping[UUID, int]) -> Iterator[Verdict]:
        broken: set[str | None] = set()
        for ask in asks:
            expected: dict[UUID, int] = {
                wish.booking_id: known.get(wish.booking_id, 0) for wish in ask.wishes
            }
            if ask.series in broken and ask.key not in self.receipts:
                verdict = Verdict.STALE
            else:
                verdict = self.decide(ask, expected)
            if verdict is Verdict.STALE and ask.series is not None:
                broken.add(ask.series)
            yield verdict

    def decide(self, ask: Ask, expected: Mapping[UUID, int]) -> Verdict:
        if ask.key in self.receipts:
            first, verdict = self.receipts[ask.key]
            return verdict if first == ask else Verdict.KEY_REUSED
        if any(self.versions.get(booking, 0) != version for booking, version in expected.items()):
            return Verdict.STALE
        mine = {wish.booking_id for wish in ask.wishes}
        wanted = [claim for wish in ask.wishes for claim in wish.claims()]
        others = [c for booking, cs in self.claims.items() if booking not in mine for c in cs]
        blocked = any(claim.resource_id in (RETIRED, UNKNOWN) for claim in wanted) or any(
            a.resource_id == b.resource_id
            and a.start_time < b.end_time
            and b.start_time < a.end_time
            for place, a in enumerate(wanted)
            for b in others + wanted[:place]
        )
        verdict = Verdict.CONFLICT if blocked else Verdict.ACCEPTED
        if not blocked:
            for wish in ask.wishes:
                self.claims[wish.booking_id] = wish.claims()
                self.versions[wish.booking_id] = self.versions.get(wish.booking_id, 0) + 1
        if ask.key is not None and not any(claim.resource_id == UNKNOWN for claim in wanted):
            self.receipts[ask.key] = (ask, verdict)
        return verdict


def as_command(ask: Ask, versions: Mapping[UUID, int]) -> AppendCommand:
    expect: dict[UUID, int] = {
        wish.booking_id: versions.get(wish.booking_id, 0) for wish in ask.wishes
    }
    return AppendCommand(
        expect=expect,
        events=tuple(
            NewEvent(wish.booking_id, expect[wish.booking_id] + 1, "booking.moved", "{}", '{"é":1}')
            for wish in ask.wishes
        ),
        changes=ReservationChanges(
            vacated=tuple(BookingId(booking) for booking, version in expect.items() if version > 0),
            claimed=tuple(claim for wish in ask.wishes for claim in wish.claims()),
            confirmed=(),
        ),
        keys=() if ask.key is None else (ask.key,),
        fingerprint=None if ask.key is None else repr(ask),
    )


@dataclass
class Door:
    """The function, called as the API's role for a tenant of its own."""

    conn: AsyncConnection
    tenant_id: TenantId
    owner_dsn: str

    async def call(
        self, commands: Sequence[AppendCommand], series: Iterable[str | None] = repeat(None)
    ) -> list[Outcome]:
        encoded = [command.encode(its) for command, its in zip(commands, series, strict=False)]
        outcomes = await append_batch(self.conn, {self.tenant_id: encoded}, LAPSE)
        return outcomes[self.tenant_id]

    async def register(self) -> None:
        rows = [
            ResourceRow(resource, "Stage", "stage", "UTC", {}, resource == RETIRED, 1)
            for resource in RESOURCES
        ]
        await self.call(
            [
                AppendCommand(
                    expect={row.resource_id: 0},
                    events=(NewEvent(row.resource_id, 1, "resource.registered", "{}", "{}"),),
                    resources=(row,),
                )
                for row in rows
            ]
        )

    def claims(self) -> set[Claim]:
        with psycopg.connect(self.owner_dsn, options="-c timezone=UTC") as owner:
            rows = owner.execute(
                """
                select resource_id, booking_id, start_time, end_time, status, hold_expires_at
                  from booking.reservation
                 where tenant_id = %s
                """,
                [self.tenant_id],
            )
            return {Claim(*row) for row in rows}

    def first_break(self) -> int | None:
        return first_break(self.tenant_id, whole_log(self.owner_dsn, self.tenant_id))


@asynccontextmanager
async def door_of_a_new_tenant(database: Database) -> AsyncIterator[Door]:
    with psycopg.connect(database.owner_dsn, autocommit=True) as owner:
        tenant_id = create_tenant(owner, f"t-{new_id()}", "Tenant")
    async with await AsyncConnection.connect(database.runtime_dsn, autocommit=True) as conn:
        await conn.execute("set role booking_api")
        door = Door(conn, tenant_id, database.owner_dsn)
        await door.register()
        yield door


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(calls=st.lists(st.lists(asks, min_size=1, max_size=12), min_size=1, max_size=3))
async def test_a_call_is_decided_as_if_one_by_one(
    database: Database, calls: list[list[Ask]]
) -> None:
    model = Model()
    async with door_of_a_new_tenant(database) as door:
        for call in calls:
            known = dict(model.versions)  # what the caller has read before the call
            commands = [as_command(ask, known) for ask in call]
            expected = list(model.decide_all(call, known))
            outcomes = await door.call(commands, [ask.series for ask in call])
            assert [outcome.verdict for outcome in outcomes] == expected
            assert door.claims() == {c for claims in model.claims.values() for c in claims}
        assert door.first_break() is None


async def test_an_altered_event_breaks_the_chain(database: Database) -> None:
    async with door_of_a_new_tenant(database) as door:
        assert door.first_break() is None
        with psycopg.connect(database.owner_dsn) as owner:
            owner.execute("update booking.event set state = '{\"x\":1}' where seq = 2")
        assert door.first_break() == 2


async def test_a_receipt_counts_for_a_day_and_then_no_more(database: Database) -> None:
    async with door_of_a_new_tenant(database) as door:
        ask = Ask((Wish(1, frozenset({0}), 0, 1),), "k")
        (first,) = await door.call([as_command(ask, {})])
        (again,) = await door.call([as_command(ask, {})])
        assert (first.replayed, again.replayed) == (False, True)
        with psycopg.connect(database.owner_dsn) as owner:
            owner.execute("update booking.receipt set recorded_at = now() - interval '24:00:01'")
        (late,) = await door.call([as_command(ask, {})])
        assert late.verdict is Verdict.STALE  # a new request, which finds its stream taken


async def test_a_tenant_without_a_log_is_refused(database: Database) -> None:
    async with door_of_a_new_tenant(database) as door:
        door.tenant_id = TenantId(new_id())
        with pytest.raises(psycopg.errors.NoDataFound):
            await door.call([AppendCommand(expect={})])


async def test_the_log_never_goes_back_in_time(database: Database) -> None:
    async with door_of_a_new_tenant(database) as door:
        with psycopg.connect(database.owner_dsn) as owner:
            owner.execute("update booking.tenant_head set recorded_at = '2100-01-01'")
        ask = Ask((Wish(1, frozenset({0}), 0, 1),), None)
        (outcome,) = await door.call([as_command(ask, {})])
        assert outcome.decided_at == datetime(2100, 1, 1, tzinfo=UTC)
