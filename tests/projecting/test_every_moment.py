"""What was known at each moment of a history is what a replay of the log, cut there, comes to.

The histories are the games of `tests.engine.test_stateful`: whatever is asked, by clocks that stand
still and leap, so that holds expire between one event and the next.
"""

import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import ClassVar
from uuid import UUID

from eventsourcing.domain import CanMutateAggregate
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from domain.booking import Booking
from domain.claims import Claim
from domain.ids import BookingId, ResourceId
from domain.mapper import fold
from domain.period import Period
from domain.resource import Resource
from infra.database import Database
from infra.log.reader import RecordedEvent
from infra.master_key import MasterKey
from infra.postgres.pool import Pool, open_pool, reading
from infra.projecting import ProjectionRunner
from projections.bookings.listing import BookingFilter
from projections.moment import Moment, moment_of_position, moment_of_time
from projections.position import read_live
from projections.reservation.free_spans import free_spans
from projections.reservation_history.availability import read_availability_as_of
from projections.reservation_history.calendar import read_calendar_as_of
from projections.reservation_history.listing import list_known
from projections.reservation_history.projecting import RESERVATION_HISTORY
from tests.engine.booking_wishes import DAY, HOUR, ROOMS
from tests.engine.processes import world
from tests.engine.test_stateful import CLOCKS, Bookings, fold_claims

WINDOW = Period(DAY + HOUR / 2, DAY + 6 * HOUR)  # begins within bookings, and ends within some
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Replay:
    """The log, cut at a moment and folded by the domain alone."""

    moment: Moment
    bookings: dict[UUID, Booking]
    resources: dict[UUID, Resource]
    claims: set[Claim]

    def occupying(self, room: ResourceId) -> list[Claim]:
        return sorted(
            (
                claim
                for claim in self.claims
                if claim.resource_id == room
                and claim.start_time < WINDOW.end
                and claim.end_time > WINDOW.start
                and (claim.hold_expires_at is None or claim.hold_expires_at > self.moment.time)
            ),
            key=lambda claim: (claim.start_time, claim.booking_id),
        )

    def free(self, rooms: Sequence[ResourceId]) -> list[tuple[datetime, datetime]]:
        taken = [(c.start_time, c.end_time) for room in rooms for c in self.occupying(room)]
        if any(self.resources[room].retired for room in rooms):
            taken = [(WINDOW.start, WINDOW.end)]
        minutes = [((a - DAY) // MINUTE, (b - DAY) // MINUTE) for a, b in taken]
        window = ((WINDOW.start - DAY) // MINUTE, (WINDOW.end - DAY) // MINUTE)
        return [(DAY + a * MINUTE, DAY + b * MINUTE) for a, b in free_spans(window, minutes, 0)]

    def listed(self, wanted: BookingFilter) -> list[UUID]:
        found = [
            booking
            for booking in self.bookings.values()
            if wanted.status in (None, booking.status)
            and wanted.resource_id in (None, *booking.resource_ids)
            and (wanted.end is None or booking.start_time < wanted.end)
            and (wanted.start is None or booking.end_time > wanted.start)
        ]
        return [each.id for each in sorted(found, key=lambda each: (each.start_time, each.id))]


class Histories(Bookings):
    """Plays a game, and looks back at it from its end."""

    projectors: ClassVar[Pool]
    readers: ClassVar[Pool]

    def teardown(self) -> None:
        if sys.exception() is None:  # else the game is over already, and the reason is on its way
            self.world.runner.run(self.every_moment_is_a_replay())

    async def every_moment_is_a_replay(self) -> None:
        await ProjectionRunner(self.projectors, [RESERVATION_HISTORY], events_at_once=5).catch_up()
        log = self.log()
        for position in range(len(log) + 1):
            async with reading(self.readers, self.tenant_id) as conn:
                moments = [await moment_of_position(conn, self.tenant_id, position)]
                if position > 0:
                    late = moments[0].time + 90 * MINUTE
                    if position == len(log) or log[position].recorded_at > late:
                        moments.append(Moment(position, late))
                    await self.times_mean_the_last_position_by_then(moments[0].time, log)
            for moment in moments:
                await self.it_is_a_replay(self.replay(log, moment))

    async def times_mean_the_last_position_by_then(
        self, time: datetime, log: Sequence[RecordedEvent]
    ) -> None:
        last = max(event.seq for event in log if event.recorded_at <= time)
        before = sum(event.recorded_at < time for event in log)
        async with reading(self.readers, self.tenant_id) as conn:
            found = await moment_of_time(conn, self.tenant_id, time)
            earlier = time - timedelta(microseconds=1)
            assert found == Moment(last, time)
            assert await moment_of_time(conn, self.tenant_id, earlier) == Moment(before, earlier)

    def replay(self, log: Sequence[RecordedEvent], moment: Moment) -> Replay:
        claims: dict[BookingId, set[Claim]] = defaultdict(set)
        streams: dict[UUID, list[CanMutateAggregate[UUID]]] = defaultdict(list)
        for recorded in log[: moment.position]:
            event = self.read(recorded)
            fold_claims(claims, event)
            streams[recorded.stream_id].append(event)
        things = {stream: fold(events) for stream, events in streams.items()}
        return Replay(
            moment,
            {stream: thing for stream, thing in things.items() if isinstance(thing, Booking)},
            {stream: thing for stream, thing in things.items() if isinstance(thing, Resource)},
            set().union(*claims.values()),
        )

    async def it_is_a_replay(self, replay: Replay) -> None:
        position = replay.moment.position
        engine = self.world.processes[0].engine
        known = await engine.bookings_as_of(
            self.tenant_id, [BookingId(each) for each in self.model.bookings], position
        )
        assert {each.aggregate.id: each.aggregate for each in known} == replay.bookings
        await self.the_list_is(replay)
        await self.what_is_free_is(replay)

    async def the_list_is(self, replay: Replay) -> None:
        async with reading(self.readers, self.tenant_id) as conn:
            live = await read_live(conn, self.tenant_id, "reservation_history")
            assert live is not None
            for wanted in (
                BookingFilter(),
                BookingFilter(status="lapsed"),
                BookingFilter(resource_id=ROOMS[1], start=WINDOW.start, end=WINDOW.end),
            ):
                page = await list_known(
                    conn,
                    tenant_id=self.tenant_id,
                    generation=live.generation,
                    moment=replay.moment,
                    wanted=wanted,
                    limit=100,
                )
                assert [mark.booking_id for mark in page.marks] == replay.listed(wanted)

    async def what_is_free_is(self, replay: Replay) -> None:
        rooms = [room for room in ROOMS if room in replay.resources]
        async with reading(self.readers, self.tenant_id) as conn:
            live = await read_live(conn, self.tenant_id, "reservation_history")
            assert live is not None
            found = await read_availability_as_of(
                conn,
                tenant_id=self.tenant_id,
                generation=live.generation,
                moment=replay.moment,
                resource_ids=ROOMS,
                window=WINDOW,
                duration=timedelta(0),
            )
            page = await read_calendar_as_of(
                conn,
                tenant_id=self.tenant_id,
                generation=live.generation,
                moment=replay.moment,
                resource_id=ROOMS[0],
                window=WINDOW,
                limit=100,
            )
        assert {each.resource_id: [*each.free] for each in found.resources} == {
            room: replay.free([room]) for room in rooms
        }
        assert [*found.common] == (replay.free(rooms) if rooms else [])
        assert [*found.unknown] == [room for room in ROOMS if room not in replay.resources]
        if page is None:
            assert ROOMS[0] not in replay.resources
        else:
            occupying = [asdict(claim) for claim in replay.occupying(ROOMS[0])]
            assert [asdict(entry) for entry in page.entries] == occupying


def test_every_moment_of_a_history_is_what_a_replay_comes_to(
    database: Database, master_key: MasterKey
) -> None:
    with world(database, master_key, CLOCKS) as this:
        projectors = this.runner.run(open_pool(database.runtime_dsn, role="booking_projector"))
        readers = this.runner.run(open_pool(database.runtime_dsn, role="booking_api"))

        class Game(Histories):
            world = this

        Game.projectors, Game.readers = projectors, readers
        run_state_machine_as_test(
            Game, settings=settings(max_examples=8, stateful_step_count=12, deadline=None)
        )
        for pool in (projectors, readers):
            this.runner.run(pool.close())
