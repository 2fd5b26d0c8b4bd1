"""The way of a command and of a query: look, let the domain decide, append, answer."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple, cast
from uuid import UUID

from domain.booking import Booking
from domain.customer import Customer
from domain.ids import BookingId, ResourceId, TenantId
from domain.mapper import EventMapper
from domain.resource import Resource
from infra.customer_vault import CustomerVault, DataKey, SealedIn
from infra.engine.command_facts import customer_in
from infra.engine.decision import Decision, recorded
from infra.engine.loading import StreamLoader
from infra.engine.outcomes import refusal_in
from infra.engine.refused import is_kept, refused_command
from infra.engine.requests import Accepted, AtomicResult, Caller, CommandRequest, Refused, Result
from infra.engine.sealing import Sealing
from infra.engine.turns import Turns
from infra.engine.unit import NeedsFreshView, Unit
from infra.engine.view import View, as_found
from infra.errors import CommandFailed, Contended, OutcomeUnknown, Overloaded, Unavailable
from infra.log.append import HoldCeilings, Outcome, Verdict
from infra.log.commit_queue import CommitQueue, Series
from infra.pacing import Pace, Rounds
from infra.refusals.refusal import TellRefused

ATTEMPTS = 4
"""How often a command is decided: again where what it was decided on had changed."""

Answers = Sequence[Accepted] | Refused


class _Sent(NamedTuple):
    """A decision on its way; without an outcome to come where there was nothing to send."""

    unit: Unit
    decision: Decision
    view: View
    outcome: asyncio.Future[Outcome] | None


class BookingEngine:
    """Takes commands and queries of bookings and resources."""

    def __init__(
        self,
        loader: StreamLoader,
        queue: CommitQueue,
        vault: CustomerVault,
        mapper: EventMapper,
        clock: Callable[[], datetime],
        rounds: Rounds,
        ceilings: HoldCeilings,
        refused: TellRefused,
    ) -> None:
        """Keeps its parts; the composition root makes them.

        Args:
            loader: looks at streams.
            queue: the way to the log.
            vault: seals and opens personal data.
            mapper: writes events.
            clock: the time now, with a time zone; used only where the database's will check it.
            rounds: shared by all that takes long in this process.
            ceilings: how many holds may be open, where nothing else is said of a tenant.
            refused: is told of what a rule of the domain refused, once; it neither waits nor fails.
        """
        self._loader = loader
        self._queue = queue
        self._vault = vault
        self._mapper = mapper
        self._clock = clock
        self._turns = Turns()
        self._rounds = rounds
        self._ceilings = ceilings
        self._refused = refused

    async def execute(self, caller: Caller, request: CommandRequest) -> Result:
        """Does what one command asks.

        Args:
            caller: who asks.
            request: the command with its conditions.

        Returns:
            The thing after it, durable; or why it was not done.
        """
        (answer,) = await self._decide_in_turn(caller, [Unit(caller, [request])])
        return answer if isinstance(answer, Refused) else answer[0]

    async def execute_all(self, caller: Caller, requests: Sequence[CommandRequest]) -> list[Result]:
        """Does what many commands ask, each for itself, decided in their order.

        Args:
            caller: who asks.
            requests: the commands.

        Returns:
            A result for each, in order.
        """
        pace = Pace(self._rounds)
        units: list[Unit] = []
        for request in requests:
            await pace.pause()
            units.append(Unit(caller, [request]))
        results: list[Result] = []
        for wave in _waves(units):
            results += [
                answer if isinstance(answer, Refused) else answer[0]
                for answer in await self._decide_in_turn(caller, wave)
            ]
            if any(map(_undecided, results[-len(wave) :])):
                break
        # What came after something that could not be decided is not decided sooner.
        rest = len(requests) - len(results)
        return results + [Refused(Overloaded(), caller.request_id) for _ in range(rest)]

    async def execute_atomic(
        self, caller: Caller, requests: Sequence[CommandRequest]
    ) -> AtomicResult:
        """Does what many commands ask as one decision: all of it, or nothing.

        What any of them vacates is free for all of them, so two bookings can swap.

        Args:
            caller: who asks.
            requests: commands to bookings, or to resources.

        Returns:
            The things after all of it, one for each request; or the refusal with its culprit.
        """
        return (await self._decide_in_turn(caller, [Unit(caller, requests)]))[0]

    async def booking(self, tenant_id: TenantId, booking_id: BookingId) -> Accepted | None:
        """Folds one booking from its events: never stale.

        Args:
            tenant_id: whose.
            booking_id: which.

        Returns:
            The booking; None when the tenant has none of this id.

        Raises:
            Overloaded: the database could not be asked in time.
        """
        return await self._find(tenant_id, booking_id, Booking)

    async def bookings_as_of(
        self, tenant_id: TenantId, booking_ids: Sequence[BookingId], position: int
    ) -> list[Accepted]:
        """Folds bookings from their events up to a position, as they were known then.

        Who was forgotten since is forgotten in the past too: the key is gone, whatever the time.

        Args:
            tenant_id: whose.
            booking_ids: which.
            position: the last event that counts; at most the log's last one.

        Returns:
            Those that there were, in the same order.

        Raises:
            Overloaded: the database could not be asked in time.
        """
        view = await self._loader.as_of(tenant_id, booking_ids, position, Pace(self._rounds))
        found = {each: view.loaded[each] for each in booking_ids if each in view.loaded}
        sealed = {
            each: SealedIn(loaded.aggregate.customer, each, loaded.aggregate.customer_version)
            for each, loaded in found.items()
            if isinstance(loaded.aggregate, Booking) and loaded.aggregate.customer is not None
        }
        opened = await self._vault.open_all(tenant_id, [*sealed.values()])
        customers = dict(zip(sealed, opened, strict=True))
        return [
            as_found(loaded, position)._replace(customer=customers.get(each))
            for each, loaded in found.items()
            if isinstance(loaded.aggregate, Booking)
        ]

    async def resource(self, tenant_id: TenantId, resource_id: ResourceId) -> Accepted | None:
        """Folds one resource from its events: never stale.

        Args:
            tenant_id: whose.
            resource_id: which.

        Returns:
            The resource; None when the tenant has none of this id.

        Raises:
            Overloaded: the database could not be asked in time.
        """
        return await self._find(tenant_id, resource_id, Resource)

    async def position(self, tenant_id: TenantId) -> int:
        """Tells where a tenant's log ends.

        Args:
            tenant_id: whose.

        Raises:
            Overloaded: the database could not be asked in time.
        """
        return (await self._loader.fresh(tenant_id, ())).head

    async def _find(
        self, tenant_id: TenantId, stream_id: UUID, kind: type[Booking | Resource]
    ) -> Accepted | None:
        view = await self._loader.fresh(tenant_id, {stream_id})
        loaded = view.loaded.get(stream_id)
        if loaded is None or not isinstance(loaded.aggregate, kind):
            return None
        return await self._opened(tenant_id, as_found(loaded, view.head))

    async def _decide_in_turn(self, caller: Caller, units: Sequence[Unit]) -> list[Answers]:
        streams = _streams_to_load(units)
        if not streams:
            return await self._decide_wave(caller, units)
        try:
            async with self._turns.of(caller.tenant_id, streams):
                return await self._decide_wave(caller, units)
        except Overloaded as error:
            return [Refused(error, caller.request_id) for _ in units]

    async def _decide_wave(self, caller: Caller, units: Sequence[Unit]) -> list[Answers]:
        """Decides units that concern different things; they enter the queue in their order."""
        answers: dict[Unit, Answers] = {}
        undecided = units
        try:
            attempts = 0  # at the first of the undecided
            while undecided and attempts < ATTEMPTS:
                seal = await self._sealing_for(caller.tenant_id, undecided)
                view = await self._view(caller.tenant_id, undecided, fresh=attempts > 0)
                first, sent = undecided[0], await self._send_all(undecided, view, seal, answers)
                undecided = await self._answer_all(sent, answers)
                attempts = attempts + 1 if undecided and undecided[0] is first else 1
            error: Unavailable = Contended()
        except Unavailable as unavailable:
            error = unavailable
        for unit in undecided:
            answers.setdefault(unit, Refused(error, caller.request_id))
        return [answers[unit] for unit in units]

    async def _send_all(
        self, units: Sequence[Unit], view: View, seal: Sealing, answers: dict[Unit, Answers]
    ) -> list[_Sent]:
        """Decides one after the other, those before it being on their way to the log already.

        Returns:
            What was sent, in order; what could not be is answered.
        """
        tenant_id, request_id = units[0].caller.tenant_id, units[0].caller.request_id
        series = Series() if len(units) > 1 else None
        pace = Pace(self._rounds)
        sent: list[_Sent] = []
        try:
            for place, unit in enumerate(units):
                if place:
                    await pace.pause()
                try:
                    decision = unit.decide(view, seal, self._mapper, self._ceilings)
                except NeedsFreshView:
                    view = await self._view(tenant_id, units[place:], fresh=True)
                    decision = unit.decide(view, seal, self._mapper, self._ceilings)
                outcome = None
                if decision.append is not None:
                    outcome = self._queue.enqueue(tenant_id, decision.append, series)
                sent.append(_Sent(unit, decision, view, outcome))
        except Unavailable as error:  # those sent so far are on their way all the same
            answers |= {unit: Refused(error, request_id) for unit in units[len(sent) :]}
        return sent

    async def _answer_all(
        self, sent: Iterable[_Sent], answers: dict[Unit, Answers]
    ) -> Sequence[Unit]:
        """Answers what the log has settled.

        Returns:
            The units to be decided again, in their order.
        """
        pace = Pace(self._rounds)
        again: list[Unit] = []
        for place, each in enumerate(sent):
            if place:
                await pace.pause()
            try:
                outcome = None if each.outcome is None else await each.outcome
                answer = await self._answer(each.unit, each.decision, each.view, outcome)
            except (Unavailable, CommandFailed) as error:
                answer = Refused(error, each.unit.caller.request_id)
            if answer is None:
                again.append(each.unit)
            else:
                answers[each.unit] = answer
                if isinstance(answer, Refused):
                    self._note(each, answer)
        return again

    def _note(self, sent: _Sent, refused: Refused) -> None:
        if is_kept(sent.unit, refused):
            self._refused(
                sent.unit.caller.tenant_id,
                lambda: refused_command(
                    sent.unit, sent.decision, sent.view, refused, self._clock()
                ),
            )

    async def _answer(
        self, unit: Unit, decision: Decision, view: View, outcome: Outcome | None
    ) -> Answers | None:
        """Tells what became of a decision; None when it has to be made again."""
        if outcome is None or (outcome.verdict is Verdict.REFUSED and not outcome.replayed):
            if decision.error is not None:
                return unit.refuse(decision)
        elif outcome.undecided:
            self._discard_keys(unit.caller.tenant_id, decision, outcome)
            return None
        elif outcome.verdict is not Verdict.ACCEPTED:
            return refusal_in(outcome, unit)
        elif outcome.replayed:
            return await self._replay(unit, outcome)
        tenant_id = unit.caller.tenant_id
        if outcome is not None and decision.append is not None:
            self._vault.kept(tenant_id, [key.key_id for key in decision.append.customer_keys])
            self._loader.remember(tenant_id, recorded(decision, outcome))
        # What was just given needs no opening; in a group, a later command may have replaced it.
        given = customer_in(unit.requests[0].command) if len(unit.requests) == 1 else None
        accepted = unit.accept(decision, view, outcome)
        try:
            for place, each in enumerate(accepted):
                accepted[place] = await self._opened(tenant_id, each, given)
        except Unavailable as error:
            if outcome is None:
                raise
            raise OutcomeUnknown from error  # it was done, so nobody may hear that nothing was
        return accepted

    def _discard_keys(self, tenant_id: TenantId, decision: Decision, outcome: Outcome) -> None:
        """Forgets keys that may not be used again, before any is.

        Those of whoever was forgotten in another process: a key's stream has an event only then;
        the ids of other streams are no keys of the vault. And those made here, since another
        process may have made one for the same person first.
        """
        for key in () if decision.append is None else decision.append.customer_keys:
            self._vault.discard(tenant_id, key.key_id)
        versions = cast("dict[str, int]", outcome.info or {})
        for stream, version in versions.items():
            if version > 0:
                self._vault.discard(tenant_id, UUID(stream))

    async def _replay(self, unit: Unit, outcome: Outcome) -> Sequence[Accepted]:
        """Gives the first answer again: the same things as they were at the same position."""
        tenant_id = unit.caller.tenant_id
        streams = [UUID(str(stream)) for stream in cast("list[str]", outcome.facts["streams"])]
        as_of = cast("int", outcome.last_seq)
        view = await self._loader.as_of(tenant_id, set(streams), as_of, Pace(self._rounds))
        return [
            await self._opened(tenant_id, as_found(view.loaded[stream], as_of, replayed=True))
            for stream in streams
        ]

    async def _view(self, tenant_id: TenantId, units: Sequence[Unit], *, fresh: bool) -> View:
        """Looks at what the units concern: first at what is remembered, which is often enough."""
        if not fresh:
            streams = _streams_to_load(units)
            if not streams:
                return View(now=self._clock())
            recent = self._loader.recent(tenant_id, streams, self._clock())
            return recent or await self._loader.fresh(tenant_id, streams)
        return await self._loader.fresh(
            tenant_id, {stream for unit in units for stream in unit.stream_ids}
        )

    async def _sealing_for(self, tenant_id: TenantId, units: Sequence[Unit]) -> Sealing:
        """Gets ready the keys of all the customers that the units carry."""
        keys: dict[str, DataKey] = {}
        for unit in units:
            for customer in unit.customers:
                if customer not in keys:
                    keys[customer] = await self._vault.key_for(tenant_id, customer)
        return Sealing(keys)

    async def _opened(
        self, tenant_id: TenantId, accepted: Accepted, customer: Customer | None = None
    ) -> Accepted:
        """Adds a booking's personal data: as just given, else as sealed in its events."""
        booking = accepted.aggregate
        if not isinstance(booking, Booking) or booking.customer is None:
            return accepted
        if customer is None:
            customer = await self._vault.open(
                tenant_id, booking.customer, booking.id, booking.customer_version
            )
        return accepted._replace(customer=customer)


def _streams_to_load(units: Iterable[Unit]) -> set[UUID]:
    streams: set[UUID] = set()
    for unit in units:
        streams |= unit.streams_to_load
    return streams


def _undecided(result: Result) -> bool:
    return isinstance(result, Refused) and isinstance(result.error, Unavailable)


def _waves(units: Sequence[Unit]) -> Iterable[list[Unit]]:
    """Cuts units into runs in which no two concern the same thing.

    A later one must see what an earlier one did.
    """
    wave: list[Unit] = []
    touched: set[UUID] = set()
    for unit in units:
        streams = set(unit.stream_ids)
        if touched & streams:
            yield wave
            wave, touched = [], set()
        wave.append(unit)
        touched |= streams
    if wave:
        yield wave
