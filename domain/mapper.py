"""Between events and what the log keeps of them: a topic and plain JSON, of whatever version.

The state of an event holds its own fields and, from the second version of its class on, that
version; no type names, and nothing that has its own column in the log (stream, version, time).
Stored states are never altered: each is brought up to today's version as a plain dict, on every
path that reads one.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from uuid import UUID

from eventsourcing.domain import Aggregate, CanMutateAggregate, DomainEventProtocol
from eventsourcing.persistence import Mapper, MapperDeserialisationError, StoredEvent
from pydantic import JsonValue, TypeAdapter

from domain import booking_events, customer_events, resource_events
from domain.booking import Booking
from domain.forgetting import ForgottenCustomer
from domain.plain_json import PlainJson
from domain.resource import Resource

Folded = Booking | Resource | ForgottenCustomer
"""What the events of a stream can lead to."""

_Event = booking_events.BookingEvent | resource_events.ResourceEvent | customer_events.CustomerEvent

EVENTS: dict[type[Folded], tuple[type[_Event], ...]] = {
    Booking: (
        booking_events.HoldPlaced,
        booking_events.Booked,
        booking_events.Confirmed,
        booking_events.Released,
        booking_events.Cancelled,
        booking_events.HoldLapsed,
        booking_events.Rescheduled,
        booking_events.Amended,
    ),
    Resource: (
        resource_events.Registered,
        resource_events.Changed,
        resource_events.Retired,
    ),
    ForgottenCustomer: (customer_events.Forgotten,),
}
"""Every kind of event that the log can hold, by the aggregate that it happens to."""

TOPICS = frozenset(event.TOPIC for events in EVENTS.values() for event in events)
"""What the log calls these."""

_KEPT_BESIDE_THE_STATE = {"originator_id", "originator_version", "timestamp", "originator_topic"}


class UnknownTopic(LookupError):
    """The log names a kind of event that this code does not know: it is older than the log."""


class UnknownVersion(LookupError):
    """The log holds a version that this code does not know: it is older than the log."""


class EventMapper(Mapper[UUID]):
    """The library's mapper, with states that anybody can read and the log's clock."""

    def __init__(self) -> None:
        """Write and read plain JSON."""
        super().__init__(transcoder=PlainJson())

    def to_stored_event(self, domain_event: DomainEventProtocol[UUID]) -> StoredEvent:
        """Write an event down; the same event always gives the same bytes.

        Raises:
            UnknownTopic: events of this class are not recorded.
            ValueError: the event holds what JSON cannot, or too deeply nested.
        """
        topic: str = getattr(domain_event, "TOPIC", type(domain_event).__qualname__)
        form = _form_of(topic)
        facts = vars(domain_event)
        state = {name: facts[name] for name in form.field_names}
        if form.class_version > 1:
            state["class_version"] = form.class_version
        return StoredEvent(
            originator_id=domain_event.originator_id,
            originator_version=domain_event.originator_version,
            topic=topic,
            state=self.transcoder.encode(state),
        )

    def to_domain_event(  # type: ignore[override]  # the log's clock is not part of StoredEvent
        self, stored_event: StoredEvent, recorded_at: datetime
    ) -> CanMutateAggregate[UUID]:
        """Read an event, of whatever version it was written in.

        Args:
            stored_event: what the log has.
            recorded_at: when the log recorded it, which becomes the event's time.

        Raises:
            UnknownTopic, UnknownVersion: a newer code has written it.
            MapperDeserialisationError: its state is not what its topic says.
        """
        form = _form_of(stored_event.topic)
        try:
            facts = upcast(stored_event.topic, self.transcoder.decode(stored_event.state))
            return form.adapter.validate_python(
                {
                    **facts,
                    **form.originator,
                    "originator_id": stored_event.originator_id,
                    "originator_version": stored_event.originator_version,
                    "timestamp": recorded_at,
                }
            )
        except ValueError as error:
            raise MapperDeserialisationError(
                f"the state of {stored_event.topic!r}, version {stored_event.originator_version} "
                f"of the stream {stored_event.originator_id}, cannot be read"
            ) from error


def upcast(topic: str, state: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Bring a state up to today's version of its topic, without making an event of it.

    Args:
        topic: what kind of event it is the state of.
        state: as it was stored; it is left as it is.

    Returns:
        the fields as the class of today has them.

    Raises:
        UnknownTopic, UnknownVersion: a newer code has written it.
    """
    form = _form_of(topic)
    facts = dict(state)
    class_version = facts.pop("class_version", 1)
    if not isinstance(class_version, int) or not 1 <= class_version <= form.class_version:
        raise UnknownVersion(f"{topic!r} of version {class_version}")
    for step in form.steps[class_version - 1 :]:
        step(facts)
    return facts


def fold(events: Iterable[CanMutateAggregate[UUID]]) -> Folded | None:
    """Make of all events of one stream, in their order, what they have led to.

    Returns:
        the aggregate, nothing pending; None if there are no events.

    Raises:
        eventsourcing.domain.OriginatorVersionError: an event is missing or out of order.
        eventsourcing.domain.OriginatorIDError: an event is of another stream.
    """
    aggregate: Aggregate | None = None
    for event in events:
        aggregate = event.mutate(aggregate)
    if aggregate is not None and not isinstance(aggregate, Folded):
        raise TypeError(f"{type(aggregate).__name__} is not an aggregate of this domain")
    return aggregate


@dataclass(frozen=True)
class _Form:
    """How the events of one topic are written and read.

    Attributes:
        class_version: the version that is written today.
        steps: what brings version 1 to 2, 2 to 3 and so on.
        field_names: what the state holds, in this order.
        originator: how the library is told which aggregate a first event creates.
        adapter: checks a state, and makes an event of it.
    """

    class_version: int
    steps: tuple[Callable[[dict[str, JsonValue]], None], ...]
    field_names: tuple[str, ...]
    originator: dict[str, str]
    adapter: TypeAdapter[_Event]


def _form(aggregate: type[Folded], event: type[_Event]) -> _Form:
    names = [field.name for field in fields(event)]
    version = event.class_version
    return _Form(
        class_version=version,
        steps=tuple(getattr(event, f"upcast_v{v}_v{v + 1}") for v in range(1, version)),
        field_names=tuple(name for name in names if name not in _KEPT_BESIDE_THE_STATE),
        originator=({"originator_topic": aggregate.TOPIC} if "originator_topic" in names else {}),
        adapter=TypeAdapter(event),
    )


_FORMS = {
    event.TOPIC: _form(aggregate, event) for aggregate, events in EVENTS.items() for event in events
}


def _form_of(topic: str) -> _Form:
    form = _FORMS.get(topic)
    if form is None:
        raise UnknownTopic(topic)
    return form
