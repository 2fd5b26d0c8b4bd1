"""What new events do to the reservations, and that it is the same at once as one by one."""

from uuid import UUID

import pytest
from eventsourcing.domain import Aggregate, CanMutateAggregate

from domain.booking import Booking
from domain.claims import Claim, ReservationChanges, claims_from
from domain.ids import BookingId
from domain.mapper import EVENTS
from domain.resource import Resource
from domain.status import ClaimStatus
from tests.domain import bookings as b
from tests.domain.scenario import BOOKING, CAMERA, HOUR, NOW, STAGE, Fact, fact, happened

OTHER = BookingId(UUID(int=2))
NOTHING = ReservationChanges(vacated=(), claimed=(), confirmed=())
MOVED_CLAIM = {**b.CLAIM, "resource_ids": (CAMERA, STAGE), "start_time": b.START + HOUR}
MOVED = fact(Booking.Rescheduled, **MOVED_CLAIM, status="held", hold_expires_at=b.EXPIRY)
MOVED_CONFIRMED = fact(Booking.Rescheduled, **MOVED_CLAIM, status="confirmed", hold_expires_at=None)


def claim(status: ClaimStatus, **differently: object) -> Claim:
    usual = {
        "resource_id": STAGE,
        "booking_id": BOOKING,
        "start_time": b.START,
        "end_time": b.END,
        "status": status,
        "hold_expires_at": None,
    }
    return Claim(**usual | differently)  # type: ignore[arg-type]  # fields of the test's choice


MOVED_CLAIMS = tuple(
    claim("held", resource_id=resource, start_time=b.START + HOUR, hold_expires_at=b.EXPIRY)
    for resource in (CAMERA, STAGE)
)


def new(*facts: Fact, after: tuple[Fact, ...] = ()) -> list[CanMutateAggregate[UUID]]:
    return happened((*after, *facts), BOOKING)[len(after) :]


def test_a_hold_claims_every_resource_until_its_expiry() -> None:
    both = fact(
        Booking.HoldPlaced,
        **b.CLAIM | {"resource_ids": (CAMERA, STAGE)},
        **b.DETAILS,
        hold_expires_at=b.EXPIRY,
    )

    assert claims_from(new(both)) == ReservationChanges(
        vacated=(),
        claimed=(
            claim("held", resource_id=CAMERA, hold_expires_at=b.EXPIRY),
            claim("held", resource_id=STAGE, hold_expires_at=b.EXPIRY),
        ),
        confirmed=(),
    )


def test_a_booking_made_directly_claims_as_confirmed() -> None:
    assert claims_from(new(*b.BOOKED)) == ReservationChanges((), (claim("confirmed"),), ())


def test_a_confirmation_keeps_the_claims_and_marks_them() -> None:
    confirmed = new(fact(Booking.Confirmed, reason=None), after=b.HELD)

    assert claims_from(confirmed) == ReservationChanges((), (), (BOOKING,))


@pytest.mark.parametrize(
    ("before", "last"),
    [
        (b.HELD, fact(Booking.Released, reason=None)),
        (b.BOOKED, fact(Booking.Cancelled, reason=None)),
        (b.HELD_PAST_EXPIRY, fact(Booking.HoldLapsed)),
    ],
)
def test_what_is_given_up_vacates_its_claims(before: tuple[Fact, ...], last: Fact) -> None:
    assert claims_from(new(last, after=before)) == ReservationChanges((BOOKING,), (), ())


def test_a_moved_booking_vacates_the_old_claim_and_makes_the_new_one_from_the_event_alone() -> None:
    assert claims_from(new(MOVED, after=b.HELD_FOR_AN_HOUR)) == ReservationChanges(
        (BOOKING,), MOVED_CLAIMS, ()
    )


def test_an_amendment_claims_nothing() -> None:
    assert claims_from(new(fact(Booking.Amended, changes={}), after=b.HELD)) == NOTHING


def test_a_booking_made_and_given_up_at_once_leaves_nothing() -> None:
    assert claims_from(new(*b.RELEASED)) == NOTHING


def test_a_booking_made_and_moved_at_once_only_claims_where_it_ends_up() -> None:
    assert claims_from(new(*b.HELD_FOR_AN_HOUR, MOVED)) == ReservationChanges((), MOVED_CLAIMS, ())


def test_a_booking_made_and_confirmed_at_once_claims_as_confirmed_without_expiry() -> None:
    assert claims_from(new(*b.CONFIRMED)) == ReservationChanges((), (claim("confirmed"),), ())


def test_a_booking_moved_and_confirmed_at_once_makes_confirmed_claims() -> None:
    changes = claims_from(
        new(MOVED, fact(Booking.Confirmed, reason=None), after=b.HELD_FOR_AN_HOUR)
    )

    assert (changes.vacated, changes.confirmed) == ((BOOKING,), ())
    assert {(c.status, c.hold_expires_at) for c in changes.claimed} == {("confirmed", None)}


def test_a_booking_confirmed_and_moved_at_once_is_not_marked_any_more() -> None:
    changes = claims_from(new(fact(Booking.Confirmed, reason=None), MOVED_CONFIRMED, after=b.HELD))

    assert (changes.vacated, changes.confirmed) == ((BOOKING,), ())
    assert {c.status for c in changes.claimed} == {"confirmed"}


def test_a_booking_confirmed_and_cancelled_at_once_is_only_vacated() -> None:
    steps = (fact(Booking.Confirmed, reason=None), fact(Booking.Cancelled, reason=None))

    assert claims_from(new(*steps, after=b.HELD)) == ReservationChanges((BOOKING,), (), ())


def test_the_events_of_several_bookings_are_told_together_in_their_order() -> None:
    events = [
        *happened((*b.BOOKED, MOVED_CONFIRMED), BOOKING)[1:],
        *happened(b.HELD, OTHER),
        *happened((*b.HELD, fact(Booking.Confirmed, reason=None)), BookingId(UUID(int=3)))[1:],
    ]

    changes = claims_from(events)

    assert changes.vacated == (BOOKING,)
    assert [(c.booking_id, c.resource_id) for c in changes.claimed] == [
        (BOOKING, CAMERA),
        (BOOKING, STAGE),
        (OTHER, STAGE),
    ]
    assert changes.confirmed == (BookingId(UUID(int=3)),)


def test_events_of_resources_claim_nothing() -> None:
    registered = fact(Resource.Registered, name="", kind="", timezone="UTC", attributes={})
    changed = fact(Resource.Changed, changes={})

    events = happened((registered, changed, fact(Resource.Retired)), STAGE)

    assert claims_from(events) == NOTHING


def test_every_event_of_a_booking_is_known_to_the_reservations() -> None:
    claimless = {
        "resource_ids": (),
        "start_time": NOW,
        "end_time": NOW,
        "status": "held",
        "hold_expires_at": None,
    }
    for event_class in EVENTS[Booking]:
        event = object.__new__(event_class)
        vars(event).update(claimless, originator_id=BOOKING)

        claims_from([event])


def test_an_event_of_something_else_is_an_error() -> None:
    stray = Aggregate.Event(originator_id=BOOKING, originator_version=1, timestamp=NOW)

    with pytest.raises(TypeError, match="not known to the reservations"):
        claims_from([stray])
