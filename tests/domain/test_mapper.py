"""An event comes back from the log as it was written, at the log's time."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from eventsourcing.domain import (
    Aggregate,
    CanMutateAggregate,
    OriginatorIDError,
    OriginatorVersionError,
)
from eventsourcing.persistence import MapperDeserialisationError, StoredEvent
from hypothesis import given
from hypothesis import strategies as st

from domain.booking import Booking
from domain.mapper import EVENTS, EventMapper, Folded, UnknownTopic, UnknownVersion, fold, upcast
from domain.resource import Resource
from tests.domain import bookings as b
from tests.domain.scenario import BOOKING, HOUR, NOW, STAGE, fact, happened

REGISTERED = fact(Resource.Registered, name="", kind="", timezone="UTC", attributes={})

mapper = EventMapper()

names = st.text(max_size=20)
numbers = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | numbers | names,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)
changes: dict[str, st.SearchStrategy[Any]] = {
    "name": names,
    "kind": names,
    "attributes": st.dictionaries(names, json_values, max_size=4),
}


def stored(topic: str, state: bytes | str, version: int = 1) -> StoredEvent:
    return StoredEvent(BOOKING, version, topic, state.encode() if isinstance(state, str) else state)


def leaves(event: type[Aggregate.Event]) -> Iterator[type[Aggregate.Event]]:
    subclasses = event.__subclasses__()
    if not subclasses:
        yield event
    for subclass in subclasses:
        yield from leaves(subclass)


@pytest.mark.parametrize("aggregate", EVENTS)
def test_every_event_of_an_aggregate_can_be_kept(aggregate: type[Folded]) -> None:
    assert set(EVENTS[aggregate]) == set(leaves(aggregate.Event))


def test_topics_are_names_and_not_places_in_the_code() -> None:
    topics = [event.TOPIC for events in EVENTS.values() for event in events]

    assert len(set(topics)) == len(topics)
    assert all(topic.replace("_", "").replace(".", "").isalpha() for topic in topics)


def test_a_state_is_plain_json_of_the_events_own_fields() -> None:
    hold = happened(b.HELD_FOR_AN_HOUR, BOOKING)[0]

    kept = mapper.to_stored_event(hold)

    assert kept == stored(
        "booking.hold_placed",
        '{"resource_ids":["00000000-0000-0000-0000-000000000065"],'
        '"start_time":"2030-01-02T12:00:00Z","end_time":"2030-01-02T14:00:00Z",'
        '"title":"Night shoot","customer":null,"notes":null,"reference":null,"attributes":{},'
        '"hold_expires_at":"2030-01-01T13:00:00Z"}',
    )


def test_a_class_of_a_later_version_says_so_in_the_state() -> None:
    confirmed = happened(b.CONFIRMED, BOOKING)[1]

    assert mapper.to_stored_event(confirmed).state == b'{"reason":null,"class_version":2}'


@given(
    given_changes=st.fixed_dictionaries({}, optional=changes),
    recorded_at=st.datetimes(timezones=st.just(UTC)),
)
def test_whatever_json_a_client_keeps_comes_back(
    given_changes: dict[str, Any], recorded_at: datetime
) -> None:
    in_order = {name: given_changes[name] for name in changes if name in given_changes}
    event = happened((REGISTERED, fact(Resource.Changed, changes=in_order)), STAGE)

    kept = mapper.to_stored_event(event[1])
    read = mapper.to_domain_event(kept, recorded_at)

    assert isinstance(read, Resource.Changed)
    assert json.dumps(read.changes) == json.dumps(in_order)
    assert (read.originator_id, read.originator_version) == (STAGE, 2)
    assert read.timestamp == recorded_at
    assert mapper.to_stored_event(read) == kept


def test_the_log_tells_the_time_and_not_the_decision() -> None:
    kept = [mapper.to_stored_event(event) for event in happened(b.CONFIRMED, BOOKING)]

    booking = fold(
        mapper.to_domain_event(event, NOW + i * HOUR) for i, event in enumerate(kept, start=1)
    )

    assert isinstance(booking, Booking)
    assert (booking.created_on, booking.modified_on) == (NOW + HOUR, NOW + 2 * HOUR)
    assert booking.pending_events == []


def test_a_stream_may_be_named_as_text() -> None:
    event = mapper.to_domain_event(StoredEvent(str(BOOKING), 2, "booking.hold_lapsed", b"{}"), NOW)

    assert event.originator_id == BOOKING


@pytest.mark.parametrize("topic", ["booking.sold", "booking.created", "booking", "builtins:eval"])
def test_a_topic_that_is_not_registered_is_not_read(topic: str) -> None:
    with pytest.raises(UnknownTopic):
        mapper.to_domain_event(stored(topic, "{}"), NOW)
    with pytest.raises(UnknownTopic):
        upcast(topic, {})


def test_an_event_that_is_not_registered_is_not_written() -> None:
    stray = Aggregate.Event(originator_id=BOOKING, originator_version=1, timestamp=NOW)

    with pytest.raises(UnknownTopic):
        mapper.to_stored_event(stray)


@pytest.mark.parametrize(
    ("topic", "version"),
    [("booking.confirmed", 3), ("booking.hold_lapsed", 2), ("booking.confirmed", 0)],
)
def test_a_version_from_the_future_is_not_guessed_at(topic: str, version: int) -> None:
    state = {"reason": None, "class_version": version}

    with pytest.raises(UnknownVersion):
        upcast(topic, state)
    with pytest.raises(UnknownVersion):
        mapper.to_domain_event(stored(topic, json.dumps(state)), NOW)


@pytest.mark.parametrize(
    "state",
    ["", "[]", "null", '{"changes"', '{"changes":{"title":7}}', "{}", '{"changes":{"title":NaN}}'],
)
def test_a_state_that_is_not_what_its_topic_says_is_not_read(state: str) -> None:
    with pytest.raises(MapperDeserialisationError, match="version 4 of the stream"):
        mapper.to_domain_event(stored("booking.amended", state, 4), NOW)


def test_a_state_is_an_object_even_if_it_has_no_fields() -> None:
    with pytest.raises(MapperDeserialisationError):
        mapper.to_domain_event(stored("booking.hold_lapsed", "[]", 2), NOW)


def nested(depth: int) -> object:
    value: object = "deep"
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), -float("inf"), "\ud800", nested(230), nested(1000), object()],
    ids=["NaN", "infinity", "-infinity", "surrogate", "deep", "very deep", "no JSON"],
)
def test_what_could_not_be_read_again_is_not_written(value: object) -> None:
    amended = fact(Booking.Amended, changes={"attributes": {"it": value}})

    with pytest.raises(ValueError, match=r".+"):
        mapper.to_stored_event(happened((*b.HELD, amended), BOOKING)[1])


@pytest.mark.parametrize("value", ["NaN", "-Infinity", nested(190), [[]] * 500])
def test_what_only_looks_unreadable_is_written_and_read(value: object) -> None:
    amended = fact(Booking.Amended, changes={"attributes": {"it": value}})
    event = happened((*b.HELD, amended), BOOKING)[1]

    assert mapper.to_domain_event(mapper.to_stored_event(event), event.timestamp) == event


def test_nothing_is_folded_from_no_events() -> None:
    assert fold([]) is None


def test_a_gap_in_a_stream_is_not_folded_over() -> None:
    events = happened((*b.CONFIRMED, fact(Booking.Cancelled, reason=None)), BOOKING)

    with pytest.raises(OriginatorVersionError):
        fold([events[0], events[2]])


def test_streams_are_not_folded_together() -> None:
    others: list[CanMutateAggregate[UUID]] = happened(b.CONFIRMED, UUID(int=2))

    with pytest.raises(OriginatorIDError):
        fold([happened(b.CONFIRMED, BOOKING)[0], others[1]])
