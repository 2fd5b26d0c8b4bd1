"""given(events).when(command).then(events or error): how the tests of the domain read."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self, cast
from uuid import UUID

import pytest
from eventsourcing.domain import CanMutateAggregate
from eventsourcing.utils import get_topic

from domain.booking import Booking
from domain.commands import BookingCommand, ResourceCommand
from domain.customer import Customer, SealedCustomer
from domain.deciding import decide
from domain.errors import DomainError
from domain.ids import BookingId, ResourceId
from domain.mapper import fold
from domain.resource import Resource

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
BOOKING = BookingId(UUID(int=1))
STAGE = ResourceId(UUID(int=101))
CAMERA = ResourceId(UUID(int=102))
KEY = UUID(int=201)

_BESIDE_THE_FACTS = {"originator_id", "originator_version", "originator_topic", "timestamp"}


def seal(customer: Customer, stream: UUID, version: int) -> SealedCustomer:
    """Tell, instead of sealing, what would be sealed for where."""
    return SealedCustomer(KEY, f"{customer.id} for version {version} of {stream.int}")


@dataclass(frozen=True)
class Fact:
    """An event, as a test names it: its class and fields, without stream, version and time."""

    event_class: type[CanMutateAggregate[UUID]]
    fields: Mapping[str, object]

    @classmethod
    def of(cls, event: CanMutateAggregate[UUID]) -> Self:
        told = {name: v for name, v in vars(event).items() if name not in _BESIDE_THE_FACTS}
        return cls(type(event), told)


# Any: each event has fields of its own, which its class checks when it is made.
def fact(event_class: type[CanMutateAggregate[UUID]], **fields: Any) -> Fact:  # noqa: ANN401
    return Fact(event_class, fields)


def happened(facts: tuple[Fact, ...], stream: UUID) -> list[CanMutateAggregate[UUID]]:
    """Make the events of one stream, an hour before the command."""
    events = []
    for version, each in enumerate(facts, start=1):
        aggregate = Booking if issubclass(each.event_class, Booking.Event) else Resource
        first = {"originator_topic": get_topic(aggregate)} if version == 1 else {}
        event_class: Any = each.event_class  # the constructor differs from class to class
        events.append(
            event_class(
                originator_id=stream,
                originator_version=version,
                timestamp=NOW - HOUR,
                **first,
                **each.fields,
            )
        )
    return events


@dataclass(frozen=True)
class Given:
    facts: tuple[Fact, ...]

    def when(self, command: BookingCommand | ResourceCommand, *, now: datetime = NOW) -> "When":
        return When(self.facts, command, now)


@dataclass(frozen=True)
class When:
    facts: tuple[Fact, ...]
    command: BookingCommand | ResourceCommand
    now: datetime

    def then(self, *expected: Fact) -> Booking | Resource:
        """Exactly these events follow; the aggregate is handed on for a closer look."""
        aggregate = self.decided()
        assert [Fact.of(event) for event in aggregate.pending_events] == list(expected)
        assert all(self._stands_in_line(event) for event in aggregate.pending_events)
        return aggregate

    def then_refused(self, error: DomainError) -> None:
        """The command is refused with this error, and leaves the aggregate as it was."""
        aggregate = self._aggregate()
        with pytest.raises(type(error)) as refusal:
            decide(self.command, aggregate, now=self.now, seal=seal)
        assert refusal.value.facts() == error.facts()
        assert aggregate == self._aggregate()

    def decided(self) -> Booking | Resource:
        """For a look at what `then` does not compare."""
        return decide(self.command, self._aggregate(), now=self.now, seal=seal)

    def _aggregate(self) -> Booking | Resource | None:
        return cast("Booking | Resource | None", fold(happened(self.facts, self._stream())))

    def _stream(self) -> UUID:
        stream = getattr(self.command, "booking_id", None) or getattr(
            self.command, "resource_id", None
        )
        assert isinstance(stream, UUID)
        return stream

    def _stands_in_line(self, event: CanMutateAggregate[UUID]) -> bool:
        return (
            event.originator_id == self._stream()
            and event.originator_version == len(self.facts) + 1
            and event.timestamp == self.now
        )


def given(*facts: Fact) -> Given:
    return Given(facts)
