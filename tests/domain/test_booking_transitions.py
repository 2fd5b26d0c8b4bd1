"""Every status meets every command: what follows, or why it is refused."""

from datetime import timedelta
from itertools import product

import pytest

from domain.booking import Booking
from domain.commands import (
    Amend,
    BookingCommand,
    Cancel,
    Confirm,
    Lapse,
    Release,
)
from domain.errors import (
    CannotCancel,
    CannotConfirm,
    CannotLapse,
    CannotRelease,
    CannotReschedule,
    DomainError,
    HoldLapsed,
)
from tests.domain import bookings as b
from tests.domain.scenario import BOOKING, HOUR, NOW, Fact, fact, given

WHY = "The permit came through"

STATUSES: dict[str, tuple[Fact, ...]] = {
    "held": b.HELD,
    "held for an hour": b.HELD_FOR_AN_HOUR,
    "held past expiry": b.HELD_PAST_EXPIRY,
    "booked": b.BOOKED,
    "confirmed": b.CONFIRMED,
    "released": b.RELEASED,
    "cancelled": b.CANCELLED,
    "lapsed": b.LAPSED,
}
COMMANDS: dict[str, BookingCommand] = {
    "confirm": Confirm(booking_id=BOOKING, reason=WHY),
    "release": Release(booking_id=BOOKING, reason=WHY),
    "cancel": Cancel(booking_id=BOOKING, reason=WHY),
    "lapse": Lapse(booking_id=BOOKING),
    "reschedule": b.reschedule(end_time=b.END + HOUR),
    "amend": Amend(booking_id=BOOKING, changes={"title": "Day shoot"}),
}

CONFIRMED = fact(Booking.Confirmed, reason=WHY)
RELEASED = fact(Booking.Released, reason=WHY)
CANCELLED = fact(Booking.Cancelled, reason=WHY)
LAPSED = fact(Booking.HoldLapsed)
AMENDED = fact(Booking.Amended, changes={"title": "Day shoot"})


def moved(status: str, **expiry: object) -> Fact:
    claim = {**b.CLAIM, "end_time": b.END + HOUR, "hold_expires_at": None, **expiry}
    return fact(Booking.Rescheduled, status=status, **claim)


ANSWERS: dict[tuple[str, str], Fact | DomainError] = {
    ("held", "confirm"): CONFIRMED,
    ("held", "release"): RELEASED,
    ("held", "cancel"): CannotCancel(BOOKING, "held"),
    ("held", "lapse"): CannotLapse(BOOKING, "held"),
    ("held", "reschedule"): moved("held"),
    ("held", "amend"): AMENDED,
    ("held for an hour", "confirm"): CONFIRMED,
    ("held for an hour", "release"): RELEASED,
    ("held for an hour", "cancel"): CannotCancel(BOOKING, "held"),
    ("held for an hour", "lapse"): CannotLapse(BOOKING, "held"),
    ("held for an hour", "reschedule"): moved("held", hold_expires_at=b.EXPIRY),
    ("held for an hour", "amend"): AMENDED,
    ("held past expiry", "confirm"): HoldLapsed(BOOKING, "held", NOW),
    ("held past expiry", "release"): HoldLapsed(BOOKING, "held", NOW),
    ("held past expiry", "cancel"): CannotCancel(BOOKING, "held"),
    ("held past expiry", "lapse"): LAPSED,
    ("held past expiry", "reschedule"): HoldLapsed(BOOKING, "held", NOW),
    ("held past expiry", "amend"): AMENDED,
    ("booked", "confirm"): CannotConfirm(BOOKING, "confirmed"),
    ("booked", "release"): CannotRelease(BOOKING, "confirmed"),
    ("booked", "cancel"): CANCELLED,
    ("booked", "lapse"): CannotLapse(BOOKING, "confirmed"),
    ("booked", "reschedule"): moved("confirmed"),
    ("booked", "amend"): AMENDED,
    ("confirmed", "confirm"): CannotConfirm(BOOKING, "confirmed"),
    ("confirmed", "release"): CannotRelease(BOOKING, "confirmed"),
    ("confirmed", "cancel"): CANCELLED,
    ("confirmed", "lapse"): CannotLapse(BOOKING, "confirmed"),
    ("confirmed", "reschedule"): moved("confirmed"),
    ("confirmed", "amend"): AMENDED,
    ("released", "confirm"): CannotConfirm(BOOKING, "released"),
    ("released", "release"): CannotRelease(BOOKING, "released"),
    ("released", "cancel"): CannotCancel(BOOKING, "released"),
    ("released", "lapse"): CannotLapse(BOOKING, "released"),
    ("released", "reschedule"): CannotReschedule(BOOKING, "released"),
    ("released", "amend"): AMENDED,
    ("cancelled", "confirm"): CannotConfirm(BOOKING, "cancelled"),
    ("cancelled", "release"): CannotRelease(BOOKING, "cancelled"),
    ("cancelled", "cancel"): CannotCancel(BOOKING, "cancelled"),
    ("cancelled", "lapse"): CannotLapse(BOOKING, "cancelled"),
    ("cancelled", "reschedule"): CannotReschedule(BOOKING, "cancelled"),
    ("cancelled", "amend"): AMENDED,
    ("lapsed", "confirm"): HoldLapsed(BOOKING, "lapsed", NOW),
    ("lapsed", "release"): HoldLapsed(BOOKING, "lapsed", NOW),
    ("lapsed", "cancel"): CannotCancel(BOOKING, "lapsed"),
    ("lapsed", "lapse"): CannotLapse(BOOKING, "lapsed"),
    ("lapsed", "reschedule"): HoldLapsed(BOOKING, "lapsed", NOW),
    ("lapsed", "amend"): AMENDED,
}


@pytest.mark.parametrize(("status", "command"), list(product(STATUSES, COMMANDS)))
def test_each_status_gives_each_command_its_own_answer(status: str, command: str) -> None:
    answer = ANSWERS[status, command]
    decision = given(*STATUSES[status]).when(COMMANDS[command])
    if isinstance(answer, DomainError):
        decision.then_refused(answer)
    else:
        decision.then(answer)


def test_a_hold_can_be_confirmed_until_just_before_its_expiry() -> None:
    just_before = b.EXPIRY - timedelta(microseconds=1)
    confirm = COMMANDS["confirm"]

    given(*b.HELD_FOR_AN_HOUR).when(confirm, now=just_before).then(CONFIRMED)
    given(*b.HELD_FOR_AN_HOUR).when(confirm, now=b.EXPIRY).then_refused(
        HoldLapsed(BOOKING, "held", b.EXPIRY)
    )


def test_a_hold_lapses_at_its_expiry_and_no_earlier() -> None:
    just_before = b.EXPIRY - timedelta(microseconds=1)

    given(*b.HELD_FOR_AN_HOUR).when(Lapse(booking_id=BOOKING), now=just_before).then_refused(
        CannotLapse(BOOKING, "held")
    )
    given(*b.HELD_FOR_AN_HOUR).when(Lapse(booking_id=BOOKING), now=b.EXPIRY).then(LAPSED)


@pytest.mark.parametrize(
    ("status", "command", "becomes"),
    [
        ("held", "confirm", "confirmed"),
        ("held", "release", "released"),
        ("booked", "cancel", "cancelled"),
        ("held past expiry", "lapse", "lapsed"),
        ("held", "reschedule", "held"),
        ("booked", "reschedule", "confirmed"),
        ("released", "amend", "released"),
    ],
)
def test_a_booking_stands_where_its_last_event_put_it(
    status: str, command: str, becomes: str
) -> None:
    answer = ANSWERS[status, command]
    assert isinstance(answer, Fact)

    booking = given(*STATUSES[status]).when(COMMANDS[command]).then(answer)

    assert isinstance(booking, Booking)
    assert booking.status == becomes


def test_a_confirmed_booking_no_longer_expires() -> None:
    booking = given(*b.HELD_FOR_AN_HOUR).when(COMMANDS["confirm"]).then(CONFIRMED)

    assert isinstance(booking, Booking)
    assert booking.hold_expires_at is None
    assert not booking.is_past_expiry(b.EXPIRY)
