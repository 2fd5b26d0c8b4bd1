"""What is asked of the engine, and what it answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from pydantic import JsonValue

from domain.booking import Booking
from domain.changes import Change
from domain.commands import BookingCommand, ResourceCommand
from domain.customer import Customer
from domain.errors import DomainError
from domain.ids import TenantId
from domain.resource import Resource
from infra.errors import EngineError

Command = BookingCommand | ResourceCommand
Aggregate = Booking | Resource


class Caller(NamedTuple):
    """Who asks, and the ids that tie log lines, events and answers together.

    Attributes:
        tenant_id: for whom.
        actor: an id of the key or user; never a name.
        request_id: of the request that carries the command.
        traceparent: its trace context (W3C), if it had one.
        impersonator: who acts in the actor's place, if anybody does; an id too.
    """

    tenant_id: TenantId
    actor: str
    request_id: str
    traceparent: str | None = None
    impersonator: str | None = None


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A client's name for one request, by which a second sending is known.

    Attributes:
        key: as the client chose it.
        fingerprint: of all that makes the request what it is, as hexadecimal digits.
    """

    key: str
    fingerprint: str


class CommandRequest(NamedTuple):
    """A command with its conditions.

    Attributes:
        command: what is to be done.
        idempotency: the key under which it is done once.
        if_match: versions of which the thing must have one; None where any will do.
    """

    command: Command
    idempotency: IdempotencyKey | None = None
    if_match: frozenset[int] | None = None


class Accepted(NamedTuple):
    """The thing as it is after the command, or as it was found by a query.

    Attributes:
        aggregate: the booking or resource.
        customer: a booking's personal data, opened.
        position: of its last event.
        created_at: when its first event was recorded.
        updated_at: when its last event was recorded.
        as_of: the position of the log at which all this is true.
        replayed: this is the first answer to a key that came again.
    """

    aggregate: Aggregate
    customer: Customer | None
    position: int
    created_at: datetime
    updated_at: datetime
    as_of: int
    replayed: bool = False


class Refused(NamedTuple):
    """The command was not applied.

    Attributes:
        error: why.
        culprit: the place, in an atomic group, of the command that could not be applied.
        replayed: this is the first answer to a key that came again.
        request_id: of the request that got this answer first.
    """

    error: DomainError | EngineError
    request_id: str
    culprit: int = 0
    replayed: bool = False


Result = Accepted | Refused
AtomicResult = Sequence[Accepted] | Refused


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """An event for those who replay the log: upcast, its metadata read.

    Attributes:
        seq: its position in the tenant's log.
        stream_id: the booking or resource.
        version: its place in that stream.
        topic: what happened.
        data: the facts, as plain JSON of the topic's current version.
        actor: who caused it.
        impersonator: who acted in the actor's place, if anybody did.
        request_id: of the request that did.
        traceparent: the trace it belongs to, if any.
        recorded_at: when, by the database's clock.
    """

    seq: int
    stream_id: UUID
    version: int
    topic: str
    data: dict[str, JsonValue]
    actor: str
    impersonator: str | None
    request_id: str
    traceparent: str | None
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class EventPage:
    """A part of the log.

    Attributes:
        events: in the order of their positions.
        next_after: the last position looked at; the next page begins after it.
        as_of: where the log ended then.
    """

    events: tuple[LoggedEvent, ...]
    next_after: int
    as_of: int


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """An event of one booking, and what it meant.

    Attributes:
        event: as it was logged.
        reason: the one that was given, if any.
        changes: what became what.
    """

    event: LoggedEvent
    reason: str | None
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """A part of one booking's history.

    Attributes:
        entries: in the order of their versions.
        has_more: whether there are later ones.
        as_of: where the log ended then.
    """

    entries: tuple[HistoryEntry, ...]
    has_more: bool
    as_of: int
