"""Which holds are open, as the log tells it: the fold that the table `open_hold` has to equal."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from uuid import UUID

from domain.open_holds import OpenHold, holds_from
from projections.inline import PlacedEvent


class OpenHolds:
    """The holds that are open after the events so far; what has ended takes no memory."""

    def __init__(self) -> None:
        """Begin before the first event, with no holds."""
        self._by_booking: dict[UUID, OpenHold] = {}

    def follow(self, events: Sequence[PlacedEvent]) -> None:
        """Go on with the next events.

        Args:
            events: of bookings, in the order of the log.
        """
        changes = holds_from(placed.event for placed in events)
        for booking_id in changes.closed:
            self._by_booking.pop(booking_id, None)
        for hold in changes.opened:
            self._by_booking[hold.booking_id] = hold
        for booking_id, key_id in (
            (each.booking_id, each.customer_key_id) for each in changes.reassigned
        ):
            if booking_id in self._by_booking:
                hold = self._by_booking[booking_id]
                self._by_booking[booking_id] = replace(hold, customer_key_id=key_id)

    def streams(self) -> Collection[UUID]:
        """Name the bookings that are open holds."""
        return self._by_booking.keys()

    def rows_of(self, stream_id: UUID) -> Sequence[OpenHold]:
        """Tell the row of a booking, if it is an open hold."""
        return [self._by_booking[stream_id]] if stream_id in self._by_booking else []
