"""What claims nothing can be amended; only what differs is recorded."""

from typing import cast

import pytest

from domain.booking import Booking
from domain.commands import Amend, Amendment
from domain.customer import Customer, SealedCustomer
from tests.domain import bookings as b
from tests.domain.scenario import BOOKING, KEY, fact, given

JANE = Customer("jane", name="Jane")
JANE_SEALED = SealedCustomer(KEY, "jane for version 2 of 1")


def amend(**changes: object) -> Amend:
    return Amend(booking_id=BOOKING, changes=cast("Amendment", changes))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("title", "Day shoot"),
        ("notes", "Bring umbrellas"),
        ("reference", "PO-17"),
        ("attributes", {"crew": 12}),
    ],
)
def test_each_detail_can_be_amended_alone(name: str, value: object) -> None:
    booking = (
        given(*b.BOOKED)
        .when(amend(**{name: value}))
        .then(fact(Booking.Amended, changes={name: value}))
    )

    assert getattr(booking, name) == value


def test_a_customer_is_sealed_for_the_version_at_which_the_amendment_will_stand() -> None:
    booking = (
        given(*b.BOOKED)
        .when(amend(customer=JANE, title="Day shoot"))
        .then(fact(Booking.Amended, changes={"customer": JANE_SEALED, "title": "Day shoot"}))
    )

    assert isinstance(booking, Booking)
    assert (booking.customer, booking.customer_version) == (JANE_SEALED, 2)


def test_an_amendment_without_customer_leaves_the_customer_at_its_version() -> None:
    with_jane = fact(Booking.Amended, changes={"customer": JANE_SEALED})

    booking = (
        given(*b.BOOKED, with_jane)
        .when(amend(title="Day shoot"))
        .then(fact(Booking.Amended, changes={"title": "Day shoot"}))
    )

    assert isinstance(booking, Booking)
    assert (booking.customer, booking.customer_version) == (JANE_SEALED, 2)


def test_the_same_customer_given_again_is_sealed_anew() -> None:
    with_jane = fact(Booking.Amended, changes={"customer": JANE_SEALED})

    given(*b.BOOKED, with_jane).when(amend(customer=JANE)).then(
        fact(
            Booking.Amended,
            changes={"customer": SealedCustomer(KEY, "jane for version 3 of 1")},
        )
    )


def test_a_detail_can_be_taken_away() -> None:
    noted = fact(Booking.Amended, changes={"notes": "Bring umbrellas", "customer": JANE_SEALED})

    booking = (
        given(*b.BOOKED, noted)
        .when(amend(notes=None, customer=None))
        .then(fact(Booking.Amended, changes={"notes": None, "customer": None}))
    )

    assert isinstance(booking, Booking)
    assert (booking.notes, booking.customer) == (None, None)


def test_what_is_as_it_was_is_not_recorded() -> None:
    given(*b.BOOKED).when(amend(title="Night shoot", notes="Bring umbrellas")).then(
        fact(Booking.Amended, changes={"notes": "Bring umbrellas"})
    )


@pytest.mark.parametrize(
    "changes", [{}, {"title": "Night shoot", "customer": None, "attributes": {}}]
)
def test_an_amendment_that_changes_nothing_records_nothing(changes: dict[str, object]) -> None:
    given(*b.CANCELLED).when(amend(**changes)).then()


def test_one_amendment_gives_one_event_in_whatever_order_its_parts_were_named() -> None:
    parts = {"attributes": {"crew": 12}, "notes": "Bring umbrellas", "title": "Day shoot"}

    for order in (parts, dict(reversed(parts.items()))):
        (amended,) = given(*b.BOOKED).when(amend(**order)).decided().pending_events
        assert isinstance(amended, Booking.Amended)
        assert list(amended.changes) == ["title", "notes", "attributes"]


def test_values_that_only_python_takes_for_equal_are_a_change() -> None:
    one = fact(Booking.Amended, changes={"attributes": {"rain": 1}})

    given(*b.BOOKED, one).when(amend(attributes={"rain": True})).then(
        fact(Booking.Amended, changes={"attributes": {"rain": True}})
    )
