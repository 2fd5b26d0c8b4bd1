"""What the log tells of claims and resources, whatever the batches in which it is read."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise
from uuid import UUID

import pytest
from eventsourcing.domain import CanMutateAggregate, OriginatorVersionError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.booking import Booking
from domain.claims import Claim
from domain.ids import BookingId, ResourceId
from domain.mapper import fold
from domain.resource import Resource
from projections.inline import PlacedEvent
from projections.reservation.folding import LiveClaims
from projections.resource.folding import ToldResources
from tests.domain import bookings as b
from tests.domain.scenario import CAMERA, HOUR, NOW, STAGE, Fact, fact, happened

CONFIRM = fact(Booking.Confirmed, reason=None)
AMEND = fact(Booking.Amended, changes={"title": "Day shoot"})


def moved(status: str) -> Fact:
    return fact(
        Booking.Rescheduled,
        resource_ids=(CAMERA, STAGE),
        start_time=b.START + HOUR,
        end_time=b.END + HOUR,
        status=status,
        hold_expires_at=b.EXPIRY if status == "held" else None,
    )


LIVES: list[tuple[Fact, ...]] = [
    b.HELD,
    b.BOOKED,
    b.CONFIRMED,
    b.RELEASED,
    b.CANCELLED,
    b.LAPSED,
    (*b.HELD_FOR_AN_HOUR, moved("held"), CONFIRM, AMEND),
    (*b.HELD_FOR_AN_HOUR, moved("held"), AMEND, fact(Booking.Released, reason=None)),
    (*b.HELD, AMEND, CONFIRM, moved("confirmed"), moved("confirmed")),
    (*b.BOOKED, moved("confirmed"), fact(Booking.Cancelled, reason="Rain"), AMEND),
]


@st.composite
def logs(draw: st.DrawFn) -> list[PlacedEvent]:
    """Some bookings' events, the events of each in their order, and resources' among them."""
    streams = [
        happened(life, BookingId(UUID(int=number)))
        for number, life in enumerate(draw(st.lists(st.sampled_from(LIVES), max_size=6)), start=1)
    ]
    left = draw(st.permutations([n for n, stream in enumerate(streams) for _ in stream]))
    waiting = [iter(stream) for stream in streams]
    return [PlacedEvent(seq, next(waiting[n])) for seq, n in enumerate(left, start=1)]


def batches(log: Sequence[PlacedEvent], cuts: set[int]) -> list[Sequence[PlacedEvent]]:
    at = sorted({0, len(log)} | {cut % (len(log) + 1) for cut in cuts})
    return [log[start:end] for start, end in pairwise(at)]


def claims_of(booking: Booking) -> list[Claim]:
    """Say it of the booking itself, as its own events have left it."""
    if booking.status not in ("held", "confirmed"):
        return []
    return [
        Claim(
            resource_id=resource_id,
            booking_id=BookingId(booking.id),
            start_time=booking.start_time,
            end_time=booking.end_time,
            status=booking.status,
            hold_expires_at=booking.hold_expires_at,
        )
        for resource_id in booking.resource_ids
    ]


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(log=logs(), cuts=st.sets(st.integers(0, 50), max_size=8))
def test_live_claims_are_those_of_the_bookings_however_the_log_is_cut(
    log: list[PlacedEvent], cuts: set[int]
) -> None:
    live = LiveClaims()
    for batch in batches(log, cuts):
        live.follow(batch)

    streams: dict[UUID, list[CanMutateAggregate[UUID]]] = {}
    for placed in log:
        streams.setdefault(placed.event.originator_id, []).append(placed.event)
    expected = {}
    for stream_id, events in streams.items():
        booking = fold(events)
        assert isinstance(booking, Booking)
        if claims := claims_of(booking):
            expected[stream_id] = claims
    assert {stream: list(live.rows_of(stream)) for stream in live.streams()} == expected


def test_what_has_ended_is_not_kept_in_memory() -> None:
    live = LiveClaims()
    for number, life in enumerate((b.RELEASED, b.CANCELLED, b.LAPSED), start=1):
        live.follow([PlacedEvent(1, e) for e in happened(life, BookingId(UUID(int=number)))])

    assert list(live.streams()) == []


def test_a_resource_is_told_as_it_stands_with_its_last_events_position_and_time() -> None:
    registered = fact(
        Resource.Registered, name="Stage 1", kind="stage", timezone="UTC", attributes={"a": 1}
    )
    renamed = fact(Resource.Changed, changes={"name": "Stage A"})
    events = happened((registered, renamed, fact(Resource.Retired)), STAGE)
    vars(events[2]).update(timestamp=NOW + timedelta(days=1))
    told = ToldResources()
    told.follow([PlacedEvent(7, events[0])])
    told.follow([PlacedEvent(8, events[1]), PlacedEvent(11, events[2])])

    [row] = told.rows_of(STAGE)

    assert (row.resource_id, row.name, row.kind, row.timezone) == (
        STAGE,
        "Stage A",
        "stage",
        "UTC",
    )
    assert (row.attributes, row.retired, row.version, row.position) == ({"a": 1}, True, 3, 11)
    assert (row.created_at, row.updated_at) == (NOW - HOUR, NOW + timedelta(days=1))
    assert list(told.streams()) == [STAGE]
    assert told.rows_of(ResourceId(UUID(int=5))) == ()


def test_a_resource_whose_event_is_missing_is_not_guessed() -> None:
    registered = fact(Resource.Registered, name="", kind="", timezone="UTC", attributes={})
    renamed = fact(Resource.Changed, changes={"name": "Stage A"})
    first, _, third = happened((registered, renamed, renamed), STAGE)

    with pytest.raises(OriginatorVersionError):
        ToldResources().follow([PlacedEvent(1, first), PlacedEvent(2, third)])


def test_a_bookings_event_is_nothing_that_the_resources_know() -> None:
    [booked] = happened(b.BOOKED, BookingId(UUID(int=1)))

    with pytest.raises(TypeError, match="not known to the resources"):
        ToldResources().follow([PlacedEvent(1, booked)])
