"""Whatever is asked, whenever and of whichever process, comes to what a model of the rules says.

The tenant's clock stands decades ahead of this machine's, set on its head row: so it stands still
but for one rule, and holds expire without a wait and without a hand on the log. Two engines share
the database as processes do, one with a clock far behind and one with a clock far ahead: what one
of them remembers, the other may have changed.
"""

import asyncio
import sys
from collections import defaultdict
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime
from itertools import combinations, count, permutations
from typing import ClassVar
from uuid import UUID

import pytest
from eventsourcing.domain import CanMutateAggregate
from eventsourcing.persistence import StoredEvent
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from domain.booking import Booking
from domain.claims import Claim, claims_from
from domain.commands import (
    BookingCommand,
    Cancel,
    Lapse,
    RegisterResource,
    Release,
    Reschedule,
    RetireResource,
)
from domain.errors import ResourceRetired, SlotTaken
from domain.ids import BookingId, ResourceId
from domain.mapper import EventMapper, fold
from domain.period import Period
from infra.access import create_tenant
from infra.database import Database
from infra.engine import (
    Accepted,
    AtomicResult,
    Caller,
    Command,
    CommandRequest,
    IdempotencyKey,
    Refused,
    Result,
)
from infra.identity import new_id
from infra.log.reader import RecordedEvent
from infra.master_key import MasterKey
from tests.engine.booking_model import Answer, Ask, Model, Refusal, Standing
from tests.engine.booking_wishes import (
    BEGINNING,
    BOOK,
    FIRST_DAY,
    HOUR,
    ROOMS,
    meant,
    meant_again,
    someone,
    wishes,
)
from tests.engine.processes import World, world
from tests.whole_log import proven_log

BEHIND, AHEAD = 0, 1
CLOCKS = datetime(2000, 1, 1, tzinfo=UTC), datetime(2190, 1, 1, tzinfo=UTC)

Keyed = tuple[BookingCommand, str | None]

processes = st.sampled_from([BEHIND, AHEAD])
keys = st.none() | st.sampled_from("abcdef")
group_keys = st.none() | st.sampled_from("uvw")
batches = st.lists(st.tuples(wishes, keys), min_size=2, max_size=6)


class Bookings(RuleBasedStateMachine):
    """Asks the engine what it asks the model, and compares; each game is a tenant's."""

    world: ClassVar[World]

    def __init__(self) -> None:
        super().__init__()
        self.tenant_id = create_tenant(self.world.owner, f"t-{new_id()}", "Tenant")
        self.model = Model(now=FIRST_DAY)
        self.new_ids = (BookingId(UUID(int=number)) for number in count(1000))
        self.mapper = EventMapper()

    @initialize()
    def some_are_there(self) -> None:
        self.time_passes(hours=0)
        for room in ROOMS:
            register = RegisterResource(
                resource_id=room, name="Stage", kind="stage", timezone="UTC", attributes={}
            )
            assert isinstance(self.execute(BEHIND, register), Accepted)
        for wish in BEGINNING:
            self.compare(BEHIND, self.ask_for([wish]))

    @rule(wish=wishes, key=keys, process=processes)
    def one(self, wish: BookingCommand, key: str | None, process: int) -> None:
        self.compare(process, self.ask_for([wish], key))

    @rule(group=st.lists(wishes, min_size=2, max_size=4), key=group_keys, process=processes)
    def all_or_none(self, group: list[BookingCommand], key: str | None, process: int) -> None:
        self.compare(process, self.ask_for(group, key))

    @rule(one=st.integers(0, 7), other=st.integers(0, 7), process=processes)
    def swap(self, one: int, other: int, process: int) -> None:
        known = list(self.model.bookings.items())
        if known:
            (first, a), (second, b) = known[one % len(known)], known[other % len(known)]
            moves = tuple(
                Reschedule(
                    booking_id=booking,
                    start_time=there.start,
                    end_time=there.end,
                    resource_ids=there.rooms,
                )
                for booking, there in ((first, b), (second, a))
            )
            self.compare(process, Ask(moves))

    @rule(batch=batches, process=processes)
    def each_for_itself(self, batch: list[Keyed], process: int) -> None:
        commands = meant([wish for wish, _ in batch], self.model, self.new_ids)
        asks = [
            Ask((command,), key, repr(wish))
            for command, (wish, key) in zip(commands, batch, strict=True)
        ]
        requests = [requests_for(ask)[0] for ask in asks]
        results = self.world.runner.run(
            self.world.processes[process].engine.execute_all(self.caller, requests)
        )
        assert list(map(answer_of, results)) == list(map(self.model.decide, asks))

    @rule(booking=someone, key=keys, process=processes)
    def one_for_another(self, booking: BookingId, key: str | None, process: int) -> None:
        """Gives a booking up, and books its place in the same call."""
        (there,) = meant([Cancel(booking_id=booking, reason=None)], self.model, self.new_ids)
        if was := self.model.bookings.get(there.booking_id):
            give_up = Release if was.status == "held" else Cancel
            book = replace(BOOK, resource_ids=was.rooms, period=Period(was.start, was.end))
            self.each_for_itself(
                [(give_up(booking_id=booking, reason=None), None), (book, key)], process
            )

    @rule(one=wishes, other=wishes, key=keys, other_key=keys)
    def two_at_once(
        self, one: BookingCommand, other: BookingCommand, key: str | None, other_key: str | None
    ) -> None:
        """Whatever two processes are asked at the same time, one of them was first."""
        asks = [self.ask_for([one], key), self.ask_for([other], other_key)]

        async def both() -> list[AtomicResult]:
            return await asyncio.gather(*map(self.send, (BEHIND, AHEAD), asks))

        answers = list(map(answer_of, self.world.runner.run(both())))
        models = []
        for order in permutations(range(2)):
            model = deepcopy(self.model)
            expected = {place: model.decide(asks[place]) for place in order}
            if answers == [expected[0], expected[1]]:
                self.model = model
                return
            models.append(expected)
        pytest.fail(f"{answers} is neither of {models}")

    @rule(which=st.integers(0, 5), process=processes)
    def again(self, which: int, process: int) -> None:
        if kept := list(self.model.kept.values()):
            first, _, _ = kept[which % len(kept)]
            self.compare(process, meant_again(first, self.new_ids))

    @rule(booking=someone, process=processes)
    def lapse(self, booking: BookingId, process: int) -> None:
        self.compare(process, self.ask_for([Lapse(booking_id=booking)]))

    @rule(room=st.just(ROOMS[-1]), process=processes)
    def retire(self, room: ResourceId, process: int) -> None:
        result = self.execute(process, RetireResource(resource_id=room))
        if room in self.model.retired:
            assert isinstance(result, Refused)
            assert isinstance(result.error, ResourceRetired)
        else:
            assert isinstance(result, Accepted)
        self.model.retired.add(room)

    @rule(hours=st.sampled_from([1, 2, 24]))
    def time_passes(self, hours: int) -> None:
        self.model.now += hours * HOUR
        self.world.set_clock(self.tenant_id, self.model.now)

    @rule(process=processes)
    def restart(self, process: int) -> None:
        self.world.processes[process].end()
        self.world.processes[process].begin()

    @rule(process=processes)
    def look(self, process: int) -> None:
        """What a process answers is what the log folds to."""
        self.reservations_and_model_are_the_fold_of_the_log()
        engine = self.world.processes[process].engine
        log = self.log()

        async def look() -> list[Accepted | None]:
            return await asyncio.gather(
                *(engine.booking(self.tenant_id, booking) for booking in self.model.bookings)
            )

        for found in self.world.runner.run(look()):
            assert found is not None
            stream = [event for event in log if event.stream_id == found.aggregate.id]
            assert found.aggregate == fold(map(self.read, stream))
            assert (found.position, found.as_of) == (stream[-1].seq, len(log))

    @invariant()
    def nothing_is_booked_twice(self) -> None:
        for one, other in combinations(self.world.reservations(self.tenant_id), 2):
            assert (
                one.resource_id != other.resource_id
                or one.end_time <= other.start_time
                or other.end_time <= one.start_time
            )

    def teardown(self) -> None:
        if sys.exception() is None:  # else the game is over already, and the reason is on its way
            self.reservations_and_model_are_the_fold_of_the_log()

    def reservations_and_model_are_the_fold_of_the_log(self) -> None:
        claims: dict[BookingId, set[Claim]] = defaultdict(set)
        streams: dict[UUID, list[CanMutateAggregate[UUID]]] = defaultdict(list)
        for recorded in self.log():
            event = self.read(recorded)
            fold_claims(claims, event)
            if recorded.topic.startswith("booking."):
                streams[recorded.stream_id].append(event)
        assert self.world.reservations(self.tenant_id) == set().union(*claims.values())
        told = {stream: standing_of(fold(events)) for stream, events in streams.items()}
        assert told == self.model.bookings
        assert self.world.open_holds(self.tenant_id) == {
            booking: standing.expires
            for booking, standing in told.items()
            if standing.status == "held"
        }

    @property
    def caller(self) -> Caller:
        return Caller(self.tenant_id, "key-1", "request-1")

    def ask_for(self, wishes: Sequence[BookingCommand], key: str | None = None) -> Ask:
        return Ask(meant(wishes, self.model, self.new_ids), key, repr(wishes))

    async def send(self, process: int, ask: Ask) -> AtomicResult:
        engine = self.world.processes[process].engine
        return await engine.execute_atomic(self.caller, requests_for(ask))

    def compare(self, process: int, ask: Ask) -> None:
        answer = answer_of(self.world.runner.run(self.send(process, ask)))
        assert answer == self.model.decide(ask)

    def execute(self, process: int, command: Command) -> Result:
        engine = self.world.processes[process].engine
        return self.world.runner.run(engine.execute(self.caller, CommandRequest(command)))

    def log(self) -> list[RecordedEvent]:
        return proven_log(self.world.owner_dsn, self.tenant_id)

    def read(self, event: RecordedEvent) -> CanMutateAggregate[UUID]:
        stored = StoredEvent(event.stream_id, event.version, event.topic, event.state.encode())
        return self.mapper.to_domain_event(stored, event.recorded_at)


def fold_claims(claims: dict[BookingId, set[Claim]], event: CanMutateAggregate[UUID]) -> None:
    """One event at a time, as a rebuild would."""
    changes = claims_from([event])
    for booking in changes.vacated:
        del claims[booking]
    for claim in changes.claimed:
        claims[claim.booking_id].add(claim)
    for booking in changes.confirmed:
        claims[booking] = {
            replace(claim, status="confirmed", hold_expires_at=None) for claim in claims[booking]
        }


def requests_for(ask: Ask) -> list[CommandRequest]:
    """As they come over HTTP: in a group, a command's key is the request's and its place."""
    requests = [CommandRequest(command) for command in ask.commands]
    if ask.key is None:
        return requests
    keys = [ask.key] if len(requests) == 1 else [f"{ask.key}#{n}" for n in range(len(requests))]
    return [
        request._replace(idempotency=IdempotencyKey(key, ask.fingerprint))
        for request, key in zip(requests, keys, strict=True)
    ]


def answer_of(result: AtomicResult | Result) -> Answer:
    """The engine's answer in the model's words."""
    if isinstance(result, Refused):
        conflicts = result.error.conflicts if isinstance(result.error, SlotTaken) else ()
        in_the_way = frozenset(c.booking_id for c in conflicts if c.status != "same-request")
        return Answer(Refusal(type(result.error), result.culprit, in_the_way), result.replayed)
    accepted = [result] if isinstance(result, Accepted) else result
    (replayed,) = {one.replayed for one in accepted}
    return Answer(tuple(standing_of(one.aggregate) for one in accepted), replayed)


def standing_of(aggregate: object) -> Standing:
    assert isinstance(aggregate, Booking)
    return Standing(
        status=aggregate.status,
        rooms=aggregate.resource_ids,
        start=aggregate.start_time,
        end=aggregate.end_time,
        expires=aggregate.hold_expires_at,
        title=aggregate.title,
        version=aggregate.version,
    )


def test_whatever_is_asked_comes_to_what_the_rules_say(
    database: Database, master_key: MasterKey
) -> None:
    with world(database, master_key, CLOCKS) as this:

        class Game(Bookings):
            world = this

        run_state_machine_as_test(
            Game, settings=settings(max_examples=100, stateful_step_count=25, deadline=None)
        )
