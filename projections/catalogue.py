"""The projections that there are, by their names."""

from collections.abc import Mapping
from typing import Literal

from projections.asynchronous import Projection
from projections.audit_trail.projecting import AUDIT_TRAIL
from projections.bookings.projecting import BOOKINGS
from projections.inline import InlineProjection
from projections.open_hold.rebuilding import OPEN_HOLD
from projections.reservation.rebuilding import RESERVATION
from projections.reservation_history.projecting import RESERVATION_HISTORY
from projections.resource.rebuilding import RESOURCE
from projections.utilisation.projecting import UTILISATION

InlineName = Literal["reservation", "resource", "open_hold"]

INLINE: Mapping[InlineName, InlineProjection] = {
    "reservation": RESERVATION,
    "resource": RESOURCE,
    "open_hold": OPEN_HOLD,
}
"""Those that are written in the transaction which appends the events."""

AsynchronousName = Literal["bookings", "audit_trail", "utilisation", "reservation_history"]

ProjectionName = Literal[InlineName, AsynchronousName]

ASYNCHRONOUS: tuple[Projection, ...] = (BOOKINGS, AUDIT_TRAIL, UTILISATION, RESERVATION_HISTORY)
"""Those that follow the log.

Where one gets a new version, the earlier one may stand beside it until the later one has taken over
everywhere: as long as it stands here, it is kept up.
"""
