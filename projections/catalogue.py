"""The projections that there are, by their names."""

from collections.abc import Mapping
from typing import Literal

from projections.inline import InlineProjection
from projections.reservation.rebuilding import RESERVATION
from projections.resource.rebuilding import RESOURCE

InlineName = Literal["reservation", "resource"]

INLINE: Mapping[InlineName, InlineProjection] = {"reservation": RESERVATION, "resource": RESOURCE}
"""Those that are written in the transaction which appends the events."""
