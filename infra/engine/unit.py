"""One decision in the making: the requests that stand or fall together, most often just one."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import cast
from uuid import UUID

from eventsourcing.domain import AggregateEvent
from pydantic import JsonValue

from domain.booking import Booking
from domain.booking_events import HoldLapsed
from domain.claims import claims_from
from domain.commands import FoundingCommand
from domain.customer_keys import keys_sealing
from domain.deciding import decide
from domain.errors import DomainError, HoldExpiryPassed, InvalidPeriod, InvalidResources
from domain.mapper import EventMapper
from domain.open_holds import holds_from
from domain.resource import Resource
from infra.engine.command_facts import customer_in, deadline_of, kind_of, stream_of
from infra.engine.decision import Decision
from infra.engine.recording import new_events
from infra.engine.requests import (
    Accepted,
    Aggregate,
    Caller,
    CommandRequest,
    IdempotencyKey,
    Refused,
)
from infra.engine.sealing import Sealing
from infra.engine.view import View, as_found
from infra.errors import AlreadyExists, EngineError, NotFound, VersionMismatch
from infra.identity import new_id
from infra.log.append import AppendCommand, HoldCeilings, Outcome, Refusal, ResourceRow

_FORM_ERRORS = (EngineError, InvalidPeriod, InvalidResources, HoldExpiryPassed)
"""Refusals that no key keeps: the same request may fare better another time."""


class NeedsFreshView(Exception):
    """The domain would refuse, on a view that may not refuse."""


class Unit:
    """Requests decided as one, on behalf of one caller.

    Attributes:
        caller: who asks.
        requests: all applied, or none.
        stream_ids: the stream of each request.
        streams_to_load: those that must exist; what is made here needs no look before the log's
            own.
        customers: whose data the requests carry, by the client's names.
        keys: their idempotency keys.
    """

    def __init__(self, caller: Caller, requests: Sequence[CommandRequest]) -> None:
        """Takes the requests; decides nothing yet.

        Args:
            caller: who asks.
            requests: all applied, or none.
        """
        self.caller = caller
        self.requests = requests
        self.stream_ids: list[UUID] = []
        self.streams_to_load: set[UUID] = set()
        self.customers: set[str] = set()
        self._command_id = new_id()
        keys: list[IdempotencyKey] = []
        for request in requests:
            command, idempotency = request.command, request.idempotency
            stream = stream_of(command)
            self.stream_ids.append(stream)
            if not isinstance(command, FoundingCommand):
                self.streams_to_load.add(stream)
            customer = customer_in(command)
            if customer is not None:
                self.customers.add(customer.id)
            if idempotency is not None:
                keys.append(idempotency)
        self.keys = tuple(dict.fromkeys([key.key for key in keys])) if keys else ()
        self._fingerprint = _joined([key.fingerprint for key in keys]) if keys else None

    def place_of(self, key: str) -> int:
        """Tells which request came first with an idempotency key."""
        return next(
            place
            for place, request in enumerate(self.requests)
            if request.idempotency is not None and request.idempotency.key == key
        )

    def decide(
        self, view: View, seal: Sealing, mapper: EventMapper, ceilings: HoldCeilings
    ) -> Decision:
        """Lets the domain decide.

        Args:
            view: what is known.
            seal: seals personal data.
            mapper: writes events.
            ceilings: how many holds may be open, for the log to count.

        Raises:
            NeedsFreshView: it would be refused, but the view may be old.
        """
        touched: dict[UUID, Aggregate] = {}
        expect: dict[UUID, int] = {}
        for stream in self.stream_ids:
            found = view.loaded.get(stream)
            expect[stream] = 0 if found is None else found.aggregate.version
            if found is not None:
                touched[stream] = found.aggregate
        if self.customers:
            expect |= dict.fromkeys(seal.keys_of(self.customers), 0)  # the forgotten have an event
        events: list[AggregateEvent] = []
        deadlines: list[datetime] = []
        if len(self.requests) > 1:
            # Whatever the group does to a hold, its slot may be what another of its commands needs.
            deadlines += _expiries(touched.values(), view.now)
            events += _lapses(touched.values(), view.now)
        for place, (stream, request) in enumerate(zip(self.stream_ids, self.requests, strict=True)):
            before = touched.get(stream)
            try:
                _check_standing(request, before)
                deadlines += deadline_of(request.command, before)
                after = decide(request.command, before, now=view.now, seal=seal)
            except (DomainError, EngineError) as error:
                if not view.fresh:
                    raise NeedsFreshView from error
                return self._refuse(error, place, expect)
            touched[stream] = after
            events += cast("Sequence[AggregateEvent]", after.collect_events())
        if not view.fresh and HoldLapsed in map(type, events):
            raise NeedsFreshView  # a lapse is decided by the database's clock alone
        if not events and not self.keys and not view.fresh:
            raise NeedsFreshView  # nothing would be appended, so nothing would check the view
        own_events: dict[UUID, int] = {
            event.originator_id: place for place, event in enumerate(events, 1 - len(events))
        }
        append = AppendCommand(
            expect=expect,
            events=new_events(events, mapper, self.caller, self._command_id),
            changes=claims_from(events),
            holds=holds_from(events),
            ceilings=ceilings,
            customer_keys=seal.unkept(keys_sealing(events)),
            resources=tuple(
                [
                    _resource_row(aggregate, own_events[aggregate.id])
                    for aggregate in touched.values()
                    if isinstance(aggregate, Resource) and aggregate.id in own_events
                ]
            ),
            keys=self.keys,
            fingerprint=self._fingerprint,
            deadline=min(deadlines, default=None),
            facts=self._facts(),
        )
        return Decision(
            append=append if events or self.keys else None,
            aggregates=[touched[stream] for stream in self.stream_ids],
            own_events=own_events,
        )

    def _refuse(
        self, error: DomainError | EngineError, place: int, expect: Mapping[UUID, int]
    ) -> Decision:
        """Has a refusal recorded under the keys, or the keys at least looked up.

        They may have been answered before; but what is not there is told before any key counts.
        """
        append = None
        if self.keys and not isinstance(error, NotFound | AlreadyExists):
            kept = not isinstance(error, _FORM_ERRORS)
            append = AppendCommand(
                expect=expect,
                keys=self.keys,
                fingerprint=self._fingerprint,
                refusal=Refusal(error.facts() if isinstance(error, DomainError) else {}, kept=kept),
                facts=self._facts() | {"culprit": place},
            )
        return Decision(append, aggregates=(), own_events={}, error=error, culprit=place)

    def _facts(self) -> dict[str, JsonValue]:
        if not self.keys:
            return {}
        return {
            "streams": [str(stream) for stream in self.stream_ids],
            "request_id": self.caller.request_id,
        }

    def accept(self, decision: Decision, view: View, outcome: Outcome | None) -> list[Accepted]:
        """Tells what has been applied.

        Args:
            decision: as it was made.
            view: on what.
            outcome: the log's; None when there was nothing to apply.
        """
        as_of = view.head if outcome is None or outcome.last_seq is None else outcome.last_seq
        return [
            self._accepted(aggregate, decision, view, outcome, as_of)
            for aggregate in decision.aggregates
        ]

    def _accepted(
        self,
        aggregate: Aggregate,
        decision: Decision,
        view: View,
        outcome: Outcome | None,
        as_of: int,
    ) -> Accepted:
        stream = aggregate.id
        own_event = decision.own_events.get(stream)
        if outcome is None or own_event is None:
            return as_found(view.loaded[stream], as_of)
        return Accepted(
            aggregate=aggregate,
            customer=None,
            position=as_of + own_event,
            created_at=aggregate.created_on if stream in view.loaded else outcome.decided_at,
            updated_at=outcome.decided_at,
            as_of=as_of,
        )

    def refuse(self, decision: Decision) -> Refused:
        """Tells what the domain refused."""
        if decision.error is None:
            raise ValueError("Nothing was refused.")
        return Refused(decision.error, self.caller.request_id, culprit=decision.culprit)


def _check_standing(request: CommandRequest, before: Aggregate | None) -> None:
    """Checks that the thing is there, or not yet, and at a version that the caller named."""
    command = request.command
    if isinstance(command, FoundingCommand):
        if before is not None:
            raise AlreadyExists(kind_of(command), stream_of(command))
        return
    kind = kind_of(command)
    if before is None or not isinstance(before, Resource if kind == "resource" else Booking):
        raise NotFound(kind, stream_of(command))
    if request.if_match is not None and before.version not in request.if_match:
        raise VersionMismatch(before.version)


def _lapses(things: Iterable[Aggregate], now: datetime) -> list[AggregateEvent]:
    """Takes note of the holds that are past their expiry."""
    events: list[AggregateEvent] = []
    for thing in things:
        if isinstance(thing, Booking) and thing.is_past_expiry(now):
            thing.lapse(now=now)
            events += cast("Sequence[AggregateEvent]", thing.collect_events())
    return events


def _expiries(things: Iterable[Aggregate], now: datetime) -> list[datetime]:
    """Tells when those holds expire that are not past it."""
    return [
        thing.hold_expires_at
        for thing in things
        if isinstance(thing, Booking)
        and thing.status == "held"
        and thing.hold_expires_at is not None
        and thing.hold_expires_at > now
    ]


def _resource_row(resource: Resource, event: int) -> ResourceRow:
    return ResourceRow(
        resource_id=resource.id,
        name=resource.name,
        kind=resource.kind,
        timezone=resource.timezone,
        attributes=resource.attributes,
        retired=resource.retired,
        version=resource.version,
        event=event,
    )


def _joined(fingerprints: Sequence[str]) -> str:
    """Makes one fingerprint of a group's: itself, where there is one."""
    return (
        fingerprints[0]
        if len(fingerprints) == 1
        else sha256("".join(fingerprints).encode()).hexdigest()
    )
