"""Whatever happens to a booking: its events tell all of it, and its claims follow from them."""

from datetime import timedelta
from typing import Any

from hypothesis import event, given
from hypothesis import strategies as st

from domain.booking import Booking
from domain.claims import Claim, ReservationChanges, claims_from
from domain.commands import Amend, BookingCommand, Cancel, Confirm, Lapse, Release
from domain.customer import Customer
from domain.deciding import decide
from domain.errors import DomainError
from domain.ids import BookingId, ResourceId
from domain.mapper import EventMapper, fold
from tests.domain import bookings as b
from tests.domain.scenario import BOOKING, CAMERA, HOUR, NOW, STAGE, seal

Reservations = dict[tuple[BookingId, ResourceId], Claim]

reasons = st.none() | st.text(max_size=5)
resources = st.permutations([STAGE, CAMERA]).flatmap(
    lambda both: st.sampled_from([tuple(both), tuple(both[:1])])
)
starts = st.integers(0, 3).map(lambda hours: b.START + hours * HOUR)
customers = st.none() | st.builds(Customer, id=st.text(max_size=5), name=st.text(max_size=5))
beginnings = st.one_of(
    st.builds(b.book, resource_ids=resources, customer=customers),
    st.builds(b.book, resource_ids=resources, hold_expires_at=st.just(NOW + 3 * HOUR)),
    st.builds(b.book, resource_ids=resources, status=st.just("confirmed")),
)
changes: dict[str, st.SearchStrategy[Any]] = {
    "title": st.text(max_size=5),
    "notes": reasons,
    "customer": customers,
    "attributes": st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
}
steps: st.SearchStrategy[BookingCommand] = st.one_of(
    st.builds(Confirm, booking_id=st.just(BOOKING), reason=reasons),
    st.builds(Release, booking_id=st.just(BOOKING), reason=reasons),
    st.builds(Cancel, booking_id=st.just(BOOKING), reason=reasons),
    st.builds(Lapse, booking_id=st.just(BOOKING)),
    st.builds(b.reschedule, start_time=st.none() | starts, resource_ids=st.none() | resources),
    st.builds(
        Amend, booking_id=st.just(BOOKING), changes=st.fixed_dictionaries({}, optional=changes)
    ),
)
lives = st.tuples(beginnings, st.lists(steps, max_size=12))


def live(life: tuple[BookingCommand, list[BookingCommand]]) -> Booking:
    """Let one booking be asked one thing after the other, a quarter of an hour apart."""
    beginning, later = life
    now = NOW
    booking = decide(beginning, None, now=now, seal=seal)
    for command in later:
        now += timedelta(minutes=15)
        try:
            decide(command, booking, now=now, seal=seal)
        except DomainError as refusal:
            event(type(refusal).__name__)  # a refused command leaves no event, which is the point
    event(booking.status)
    return booking


def applied(changes: ReservationChanges, reservations: Reservations) -> Reservations:
    """What the database does with the changes, in its order, refusing what it would refuse."""
    left = {key: c for key, c in reservations.items() if key[0] not in changes.vacated}
    for claim in changes.claimed:
        key = (claim.booking_id, claim.resource_id)
        assert key not in left, "a claim that stands already"
        left[key] = claim
    for booking_id in changes.confirmed:
        assert any(key[0] == booking_id for key in left), "nothing to mark as confirmed"
    return {
        key: confirmed(claim) if key[0] in changes.confirmed else claim
        for key, claim in left.items()
    }


def confirmed(claim: Claim) -> Claim:
    return Claim(
        claim.resource_id,
        claim.booking_id,
        claim.start_time,
        claim.end_time,
        status="confirmed",
        hold_expires_at=None,
    )


def claims_of(booking: Booking) -> Reservations:
    """What a booking claims, told from its state and not from its events."""
    match booking.status:
        case "held" | "confirmed" as status:
            return {
                (BOOKING, resource_id): Claim(
                    resource_id,
                    BOOKING,
                    booking.start_time,
                    booking.end_time,
                    status,
                    booking.hold_expires_at,
                )
                for resource_id in booking.resource_ids
            }
        case _:
            return {}


@given(lives)
def test_the_kept_events_fold_to_the_live_booking(
    life: tuple[BookingCommand, list[BookingCommand]],
) -> None:
    mapper = EventMapper()
    booking = live(life)
    events = booking.collect_events()

    kept = [mapper.to_stored_event(e) for e in events]
    read = [mapper.to_domain_event(k, e.timestamp) for k, e in zip(kept, events, strict=True)]

    assert read == list(events)
    assert [mapper.to_stored_event(e) for e in read] == kept
    assert fold(read) == booking


@given(lives, st.data())
def test_claims_follow_alike_from_single_events_and_from_any_batches_of_them(
    life: tuple[BookingCommand, list[BookingCommand]], data: st.DataObject
) -> None:
    booking = live(life)
    rest = list(booking.pending_events)
    reservations: Reservations = {}
    for single in rest:
        reservations = applied(claims_from([single]), reservations)
    assert reservations == claims_of(booking)

    in_batches: Reservations = {}
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        in_batches = applied(claims_from(rest[:size]), in_batches)
        rest = rest[size:]
    assert in_batches == reservations


@given(lives)
def test_a_refused_command_leaves_the_booking_as_it_was(
    life: tuple[BookingCommand, list[BookingCommand]],
) -> None:
    booking = live(life)
    asked: list[BookingCommand] = [*life[1], Confirm(booking_id=BOOKING, reason=None)]
    for command in asked:
        before = dict(vars(booking), _pending_events=list(booking.pending_events))
        try:
            decide(command, booking, now=NOW + 24 * HOUR, seal=seal)
        except DomainError:
            assert vars(booking) == before
