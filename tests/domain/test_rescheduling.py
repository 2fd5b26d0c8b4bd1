"""A booking moves to another period, other resources or both, and keeps what is not given."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from domain.booking import Booking
from domain.errors import CannotReschedule, InvalidPeriod, InvalidResources
from tests.domain import bookings as b
from tests.domain.scenario import BOOKING, CAMERA, HOUR, STAGE, Fact, fact, given


def moved(**to: object) -> Fact:
    claim = {**b.CLAIM, "status": "held", "hold_expires_at": b.EXPIRY, **to}
    return fact(Booking.Rescheduled, **claim)


@pytest.mark.parametrize(
    "to",
    [
        {"start_time": b.START - HOUR},
        {"end_time": b.END + HOUR},
        {"start_time": b.START + 9 * HOUR, "end_time": b.END + 9 * HOUR},
        {"resource_ids": (CAMERA,)},
        {"resource_ids": (STAGE, CAMERA), "start_time": b.START + HOUR},
    ],
)
def test_what_is_not_given_is_kept(to: dict[str, object]) -> None:
    booking = given(*b.HELD_FOR_AN_HOUR).when(b.reschedule(**to)).then(moved(**to))

    assert {name: getattr(booking, name) for name in to} == to


def test_the_order_of_resources_is_the_clients_to_change() -> None:
    moved_to_both = fact(
        Booking.Rescheduled,
        **b.CLAIM | {"resource_ids": (STAGE, CAMERA)},
        status="confirmed",
        hold_expires_at=None,
    )

    given(*b.BOOKED, moved_to_both).when(b.reschedule(resource_ids=(CAMERA, STAGE))).then(
        fact(
            Booking.Rescheduled,
            **b.CLAIM | {"resource_ids": (CAMERA, STAGE)},
            status="confirmed",
            hold_expires_at=None,
        )
    )


@pytest.mark.parametrize(
    "to",
    [
        {},
        {"start_time": b.START, "end_time": b.END, "resource_ids": (STAGE,)},
        {"start_time": b.START.astimezone(timezone(timedelta(hours=-5)))},
    ],
)
def test_moving_to_where_it_stands_records_nothing(to: dict[str, object]) -> None:
    given(*b.HELD).when(b.reschedule(**to)).then()


def test_what_claims_nothing_cannot_be_moved_to_where_it_stands_either() -> None:
    given(*b.RELEASED).when(b.reschedule()).then_refused(CannotReschedule(BOOKING, "released"))


def test_new_times_are_kept_in_utc() -> None:
    in_new_york = (b.START + HOUR).astimezone(timezone(timedelta(hours=-5)))

    booking = (
        given(*b.HELD_FOR_AN_HOUR)
        .when(b.reschedule(start_time=in_new_york))
        .then(moved(start_time=b.START + HOUR))
    )

    assert isinstance(booking, Booking)
    assert booking.start_time.tzinfo is UTC


@pytest.mark.parametrize("status", [b.HELD, b.BOOKED, b.CANCELLED, b.HELD_PAST_EXPIRY])
def test_a_period_that_cannot_be_is_refused_before_the_status_is_looked_at(
    status: tuple[Fact, ...],
) -> None:
    given(*status).when(b.reschedule(end_time=b.START)).then_refused(
        InvalidPeriod("the end must be after the start")
    )


def test_a_new_time_needs_an_offset() -> None:
    given(*b.HELD).when(b.reschedule(start_time=datetime(2030, 1, 2))).then_refused(  # noqa: DTZ001  # the naive time is the point
        InvalidPeriod("a time needs an offset from UTC")
    )


@pytest.mark.parametrize("status", [b.HELD, b.CANCELLED])
def test_resources_that_cannot_be_are_refused_before_the_status_is_looked_at(
    status: tuple[Fact, ...],
) -> None:
    given(*status).when(b.reschedule(resource_ids=())).then_refused(
        InvalidResources("a booking claims at least one resource")
    )
