"""A booking begins as a hold or confirmed at once, or not at all."""

from datetime import datetime, timedelta, timezone
from uuid import UUID

import pytest

from domain.booking import Booking
from domain.customer import Customer, SealedCustomer
from domain.errors import HoldExpiryPassed, InvalidResources
from domain.ids import ResourceId
from domain.limits import MAX_RESOURCES
from tests.domain import bookings as b
from tests.domain.scenario import CAMERA, KEY, NOW, STAGE, fact, given

MANY = tuple(ResourceId(UUID(int=1000 + i)) for i in range(MAX_RESOURCES + 1))


def test_a_hold_claims_tentatively_until_its_expiry() -> None:
    booking = given().when(b.book(hold_expires_at=b.EXPIRY)).then(b.hold_until(b.EXPIRY))

    assert isinstance(booking, Booking)
    assert (booking.status, booking.hold_expires_at) == ("held", b.EXPIRY)
    assert booking.created_on == booking.modified_on == NOW


def test_a_hold_without_expiry_lasts() -> None:
    given().when(b.book()).then(b.hold_until(None))


def test_a_booking_can_be_confirmed_from_the_start() -> None:
    booking = given().when(b.book(status="confirmed")).then(*b.BOOKED)

    assert isinstance(booking, Booking)
    assert (booking.status, booking.hold_expires_at) == ("confirmed", None)


def test_a_confirmed_booking_cannot_be_asked_to_expire() -> None:
    with pytest.raises(ValueError, match="does not expire"):
        b.book(status="confirmed", hold_expires_at=b.EXPIRY)


@pytest.mark.parametrize("expiry", [NOW, NOW - timedelta(microseconds=1)])
def test_a_hold_that_would_lapse_at_once_is_refused(expiry: datetime) -> None:
    given().when(b.book(hold_expires_at=expiry)).then_refused(HoldExpiryPassed(expiry))


def test_the_expiry_of_a_hold_is_kept_in_utc() -> None:
    in_tokyo = b.EXPIRY.astimezone(timezone(timedelta(hours=9)))

    booking = given().when(b.book(hold_expires_at=in_tokyo)).then(b.hold_until(b.EXPIRY))

    assert isinstance(booking, Booking)
    assert booking.hold_expires_at is not None
    assert booking.hold_expires_at.utcoffset() == timedelta(0)


def test_the_order_of_the_resources_is_kept() -> None:
    claim = b.CLAIM | {"resource_ids": (CAMERA, STAGE)}

    given().when(b.book(status="confirmed", resource_ids=(CAMERA, STAGE))).then(
        fact(Booking.Booked, **claim, **b.DETAILS)
    )


@pytest.mark.parametrize("status", ["held", "confirmed"])
@pytest.mark.parametrize(
    ("resource_ids", "reason"),
    [
        ((), "a booking claims at least one resource"),
        ((STAGE, CAMERA, STAGE), "a booking claims a resource only once"),
        (MANY, f"a booking claims at most {MAX_RESOURCES} resources"),
    ],
)
def test_a_booking_claims_each_of_1_to_100_resources_once(
    status: str, resource_ids: tuple[ResourceId, ...], reason: str
) -> None:
    given().when(b.book(status=status, resource_ids=resource_ids)).then_refused(
        InvalidResources(reason)
    )


def test_a_booking_may_claim_a_hundred_resources() -> None:
    claim = b.CLAIM | {"resource_ids": MANY[:MAX_RESOURCES]}

    given().when(b.book(status="confirmed", resource_ids=MANY[:MAX_RESOURCES])).then(
        fact(Booking.Booked, **claim, **b.DETAILS)
    )


@pytest.mark.parametrize("status", ["held", "confirmed"])
def test_the_customer_is_sealed_for_the_first_version_of_the_stream(status: str) -> None:
    customer = Customer("jane", name="Jane", email="jane@example.org", phone="+1")

    booking = given().when(b.book(status=status, customer=customer)).decided()

    assert isinstance(booking, Booking)
    assert booking.customer == SealedCustomer(KEY, "jane for version 1 of 1")
    assert booking.customer_version == 1
    assert "Jane" not in repr(booking.pending_events)
