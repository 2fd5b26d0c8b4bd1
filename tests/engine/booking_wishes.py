"""What may be asked of bookings in a few rooms on one day, so crowded that most of it collides.

A wish names the booking it is about by its place, counted back from the last one made, and a hold's
expiry as if it were said on the first day: what is meant is known only when it is asked.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import strategies as st

from domain.commands import Amend, Book, BookingCommand, Cancel, Confirm, Release, Reschedule
from domain.ids import BookingId, ResourceId
from domain.period import Period
from tests.engine.booking_model import Ask, Model

HOUR = timedelta(hours=1)
FIRST_DAY = datetime(2100, 1, 1, tzinfo=UTC)  # by the tenant's clock
DAY = datetime(2100, 6, 1, tzinfo=UTC)  # when everything takes place
ROOMS = [ResourceId(UUID(int=number)) for number in (1, 2, 3)]
BOOK = Book(
    booking_id=BookingId(UUID(int=0)),
    resource_ids=(ROOMS[0],),
    period=Period(DAY, DAY + HOUR),
    status="confirmed",
    hold_expires_at=None,
    title="Pilot",
    customer=None,
    notes=None,
    reference=None,
    attributes={},
)
_LATER = Period(DAY + HOUR, DAY + 3 * HOUR)
BEGINNING = [
    replace(BOOK, status="held", hold_expires_at=FIRST_DAY + HOUR),
    replace(
        BOOK,
        status="held",
        resource_ids=(ROOMS[1], ROOMS[0]),
        period=Period(DAY + HOUR, DAY + 3 * HOUR),
    ),
    replace(BOOK, resource_ids=(ROOMS[1],)),
]

someone = st.integers(0, 7).map(lambda back: BookingId(UUID(int=back)))
_rooms = st.lists(st.sampled_from(ROOMS), min_size=1, max_size=2, unique=True).map(tuple)
_times = st.integers(0, 6).map(lambda hour: DAY + hour * HOUR)
_titles = st.sampled_from(["Pilot", "Finale"])
_books = st.builds(
    lambda rooms, start, hours, title: replace(
        BOOK, resource_ids=rooms, period=Period(start, start + hours * HOUR), title=title
    ),
    _rooms,
    _times,
    st.integers(1, 3),
    _titles,
)
_holds = st.builds(
    lambda book, hours: replace(
        book, status="held", hold_expires_at=None if hours is None else FIRST_DAY + hours * HOUR
    ),
    _books,
    st.sampled_from([1, 1, 2, 30, None, 0]),
)
_reasons = st.none()
wishes: st.SearchStrategy[BookingCommand] = st.one_of(
    _holds,
    _books,
    st.builds(Confirm, booking_id=someone, reason=_reasons),
    st.builds(Release, booking_id=someone, reason=_reasons),
    st.builds(Cancel, booking_id=someone, reason=_reasons),
    st.builds(Amend, booking_id=someone, changes=st.fixed_dictionaries({"title": _titles})),
    st.builds(
        Reschedule,
        booking_id=someone,
        start_time=st.none() | _times,
        end_time=st.none() | _times,
        resource_ids=st.none() | _rooms,
    ),
)


def meant(
    wishes: Sequence[BookingCommand], model: Model, new_ids: Iterator[BookingId]
) -> tuple[BookingCommand, ...]:
    """Says what wishes mean now.

    Args:
        wishes: of one request; a later one may be about what an earlier one makes.
        model: the bookings there are, and the time.
        new_ids: for the bookings to be made.
    """
    known = list(model.bookings)
    commands: list[BookingCommand] = []
    for wish in wishes:
        if isinstance(wish, Book):
            known.append(next(new_ids))
            expires = wish.hold_expires_at and wish.hold_expires_at + (model.now - FIRST_DAY)
            commands.append(replace(wish, booking_id=known[-1], hold_expires_at=expires))
        else:
            back = wish.booking_id.int % max(1, len(known))
            about = known[-1 - back] if known else wish.booking_id
            commands.append(replace(wish, booking_id=about))
    return tuple(commands)


def meant_again(ask: Ask, new_ids: Iterator[BookingId]) -> Ask:
    """Says what a retry means: the same, but the ids of what it makes are given at the door."""
    anew = {c.booking_id: next(new_ids) for c in ask.commands if isinstance(c, Book)}
    return replace(
        ask,
        commands=tuple(
            replace(c, booking_id=anew.get(c.booking_id, c.booking_id)) for c in ask.commands
        ),
    )
