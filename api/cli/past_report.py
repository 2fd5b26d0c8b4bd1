"""What was known at a moment of a log, in lines that people read."""

from collections.abc import Iterator

from api.cli.replay_report import WIDTH, quoted, told
from domain.booking import Booking
from domain.changes import FIELDS
from infra.proof.replaying import Cast
from projections.moment import Moment


def moment_line(moment: Moment) -> str:
    """Say which moment it is.

    Args:
        moment: that was asked for.
    """
    if moment.position == 0:
        return "Before the first event"
    return f"At position {moment.position:,}, {moment.time:%Y-%m-%d %H:%M:%S.%f}Z"


def booking_line(booking: Booking, cast: Cast) -> str:
    """Say in one line where a booking stood.

    Args:
        booking: as it was.
        cast: what its resources were called.
    """
    start, end = (f"{time:%Y-%m-%d %H:%M}Z" for time in (booking.start_time, booking.end_time))
    return (
        f"{start} to {end}  {booking.status:<9}  {quoted(booking.title)} on "
        f"{told(booking.resource_ids, cast)} ({booking.id})"
    )


def booking_lines(booking: Booking, cast: Cast) -> Iterator[str]:
    """Say all that was known of a booking, in a line for each fact.

    Args:
        booking: as it was.
        cast: what its resources were called, and who has been forgotten since.
    """
    yield f"booking {booking.id}, version {booking.version}"
    for field in FIELDS[Booking]:
        yield f"{'':8}{field:<{WIDTH}}  {told(getattr(booking, field), cast)}"


def count_line(number: int) -> str:
    """Say how many bookings there were.

    Args:
        number: of them.
    """
    return {0: "No booking.", 1: "One booking."}.get(number, f"{number:,} bookings.")
