"""Which claims live, as the log tells it: the fold that the table `reservation` has to equal."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from itertools import groupby
from operator import attrgetter
from uuid import UUID

from domain.claims import Claim, claims_from
from projections.inline import PlacedEvent


class LiveClaims:
    """The claims that live after the events so far; what has ended takes no memory."""

    def __init__(self) -> None:
        """Begin before the first event, with no claims."""
        self._by_booking: dict[UUID, tuple[Claim, ...]] = {}

    def follow(self, events: Sequence[PlacedEvent]) -> None:
        """Go on with the next events.

        Args:
            events: of bookings, in the order of the log.

        Raises:
            TypeError: an event that the reservations do not know.
            KeyError: a booking is confirmed that claims nothing; no log of ours tells that.
        """
        changes = claims_from(placed.event for placed in events)
        for booking_id in changes.vacated:
            self._by_booking.pop(booking_id, None)
        for booking_id, claims in groupby(changes.claimed, key=attrgetter("booking_id")):
            self._by_booking[booking_id] = tuple(claims)
        for booking_id in changes.confirmed:
            self._by_booking[booking_id] = tuple(
                replace(claim, status="confirmed", hold_expires_at=None)
                for claim in self._by_booking[booking_id]
            )

    def streams(self) -> Collection[UUID]:
        """Name the bookings that claim something."""
        return self._by_booking.keys()

    def rows_of(self, stream_id: UUID) -> Sequence[Claim]:
        """Tell what a booking claims."""
        return self._by_booking.get(stream_id, ())
