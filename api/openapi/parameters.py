"""The parameters in paths and queries that several operations share."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Query

from api.cursor import MAX_CURSOR_LENGTH
from api.headers import MAX_POSITION
from api.schemas import examples
from domain.ids import BookingId, ResourceId

MAX_PAGE = 200
DEFAULT_PAGE = 50

BookingPath = Annotated[BookingId, Path(description="The booking.", examples=[examples.BOOKING_ID])]
CustomerKeyPath = Annotated[
    UUID,
    Path(
        description="The id of the customer's key: `data.customer.key_id` in the history of any "
        "of their bookings.",
        examples=[examples.CUSTOMER_KEY_ID],
    ),
]
ResourcePath = Annotated[
    ResourceId, Path(description="The resource.", examples=[examples.STAGE_ID])
]
EndpointPath = Annotated[
    UUID, Path(description="The webhook endpoint.", examples=[examples.WEBHOOK_ENDPOINT_ID])
]
PositionPath = Annotated[
    int,
    Path(ge=1, le=MAX_POSITION, description="The position of the event.", examples=[4]),
]
Limit = Annotated[
    int, Query(ge=1, le=MAX_PAGE, description="How many a page has at most.", examples=[50])
]
Cursor = Annotated[
    str | None,
    Query(
        max_length=MAX_CURSOR_LENGTH,
        description="Where the page begins: `next_cursor` of the page before, with the same "
        "filters.",
        examples=[examples.CURSOR],
    ),
]
