"""What new events do to the open holds, and that it is the same at once as one by one."""

from collections.abc import Sequence
from uuid import UUID

import pytest
from eventsourcing.domain import CanMutateAggregate
from hypothesis import given
from hypothesis import strategies as st

from domain.booking import Booking
from domain.customer import SealedCustomer
from domain.ids import BookingId
from domain.open_holds import (
    NO_HOLD_CHANGES,
    HoldChanges,
    OpenHold,
    Reassignment,
    holds_from,
)
from projections.inline import PlacedEvent
from projections.open_hold.folding import OpenHolds
from tests.domain import bookings as b
from tests.domain.scenario import BOOKING, Fact, fact, happened

ANNA, BEN = UUID(int=0xA), UUID(int=0xB)
MOVED = fact(Booking.Rescheduled, **b.CLAIM, status="held", hold_expires_at=b.EXPIRY)
CONFIRMED = fact(Booking.Confirmed, reason=None)
RELEASED = fact(Booking.Released, reason=None)
RENAMED = fact(Booking.Amended, changes={"title": "Day shoot"})


def held_for(key_id: UUID) -> Fact:
    details = b.DETAILS | {"customer": SealedCustomer(key_id, "sealed")}
    return fact(Booking.HoldPlaced, **b.CLAIM, **details, hold_expires_at=b.EXPIRY)


def given_to(key_id: UUID | None) -> Fact:
    customer = None if key_id is None else SealedCustomer(key_id, "sealed")
    return fact(Booking.Amended, changes={"customer": customer})


def new(*facts: Fact, after: tuple[Fact, ...] = ()) -> list[CanMutateAggregate[UUID]]:
    return happened((*after, *facts), BOOKING)[len(after) :]


def test_a_hold_is_open_for_its_customer_until_its_expiry() -> None:
    assert holds_from(new(held_for(ANNA))) == HoldChanges(
        opened=(OpenHold(BOOKING, ANNA, b.EXPIRY),)
    )


def test_a_booking_confirmed_at_once_is_no_hold() -> None:
    assert holds_from(new(*b.BOOKED)) == NO_HOLD_CHANGES


@pytest.mark.parametrize(
    ("last", "before"),
    [
        (CONFIRMED, b.HELD),
        (RELEASED, b.HELD),
        (fact(Booking.HoldLapsed), b.HELD_PAST_EXPIRY),
    ],
)
def test_what_ends_a_hold_closes_it(last: Fact, before: tuple[Fact, ...]) -> None:
    assert holds_from(new(last, after=before)) == HoldChanges(closed=(BOOKING,))


def test_a_hold_that_ended_with_the_same_events_was_never_open() -> None:
    assert holds_from(new(held_for(ANNA), CONFIRMED)) == NO_HOLD_CHANGES


@pytest.mark.parametrize("step", [MOVED, RENAMED])
def test_what_moves_or_renames_a_hold_leaves_it_as_it_is(step: Fact) -> None:
    assert holds_from(new(step, after=b.HELD_FOR_AN_HOUR)) == NO_HOLD_CHANGES


@pytest.mark.parametrize("key_id", [BEN, None])
def test_another_customer_has_it_from_then_on(key_id: UUID | None) -> None:
    assert holds_from(new(given_to(key_id), after=(held_for(ANNA),))) == HoldChanges(
        reassigned=(Reassignment(BOOKING, key_id),)
    )
    assert holds_from(new(held_for(ANNA), given_to(key_id))) == HoldChanges(
        opened=(OpenHold(BOOKING, key_id, b.EXPIRY),)
    )


def test_what_is_closed_is_reassigned_to_nobody() -> None:
    assert holds_from(new(given_to(BEN), RELEASED, after=b.HELD)) == HoldChanges(closed=(BOOKING,))
    assert holds_from(new(RELEASED, given_to(BEN), after=b.HELD)) == HoldChanges(closed=(BOOKING,))


_LIVES: Sequence[tuple[Fact, ...]] = [
    (held_for(ANNA), given_to(BEN), MOVED, RELEASED, given_to(ANNA)),
    (held_for(ANNA), MOVED, RENAMED, given_to(None)),
    (held_for(BEN), CONFIRMED, given_to(ANNA)),
    (*b.BOOKED, given_to(ANNA)),
    (*b.LAPSED, given_to(BEN)),
]


@given(st.permutations([n for n, life in enumerate(_LIVES) for _ in life]), st.data())
def test_however_the_events_are_cut_the_holds_are_those_of_one_by_one(
    order: list[int], data: st.DataObject
) -> None:
    streams = [iter(happened(life, BookingId(UUID(int=n)))) for n, life in enumerate(_LIVES)]
    log = [PlacedEvent(place, next(streams[n])) for place, n in enumerate(order, start=1)]
    one_by_one, in_batches = OpenHolds(), OpenHolds()
    for placed in log:
        one_by_one.follow([placed])
    while log:
        size = data.draw(st.integers(1, len(log)))
        in_batches.follow(log[:size])
        log = log[size:]

    assert (
        rows(in_batches) == rows(one_by_one) == {OpenHold(BookingId(UUID(int=1)), None, b.EXPIRY)}
    )


def rows(fold: OpenHolds) -> set[object]:
    return {row for stream in fold.streams() for row in fold.rows_of(stream)}
