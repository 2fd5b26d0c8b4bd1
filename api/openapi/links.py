"""What can be asked next about an answer, as OpenAPI links (OpenAPI 3.1, section 4.8.20).

They tell generators of clients and of tests which id of an answer goes where. A read that is
linked asks for the position at which the answer is true, so that it sees what was written.
"""

from collections.abc import Mapping
from types import MappingProxyType

from pydantic import JsonValue

from api.headers import MIN_EVENT_POSITION
from api.schemas import examples

Links = Mapping[str, JsonValue]

_ID = "$response.body#/id"
_SEES_IT = {MIN_EVENT_POSITION: "$response.header.Event-Position"}


def _link(
    operation_id: str,
    description: str,
    parameters: Mapping[str, JsonValue],
    **more: JsonValue,
) -> Links:
    return {
        operation_id: {
            "operationId": operation_id,
            "description": description,
            "parameters": dict(parameters),
            **more,
        }
    }


_BOOKING = {"booking_id": _ID}
_RESOURCE = {"resource_id": _ID}

_READ_BOOKING: Links = {
    **_link("readBooking", "Read this booking.", {**_BOOKING, **_SEES_IT}),
    **_link("readHistory", "Read what happened to this booking.", {**_BOOKING, **_SEES_IT}),
}
_ON_ANY: Links = {**_READ_BOOKING, **_link("amendBooking", "Amend this booking.", _BOOKING)}
_ON_CLAIM: Links = {
    **_ON_ANY,
    **_link("cancelBooking", "Cancel this booking, if it is confirmed.", _BOOKING),
    **_link("rescheduleBooking", "Move this booking.", _BOOKING),
}

OF_ENDED_BOOKING: Links = MappingProxyType(dict(_ON_ANY))
"""Of a booking that claims nothing any more."""

OF_CONFIRMED_BOOKING: Links = MappingProxyType(dict(_ON_CLAIM))
"""Of a booking that is definite."""

OF_BOOKING: Links = MappingProxyType(
    {
        **_ON_CLAIM,
        **_link("confirmBooking", "Confirm this booking, if it is a hold.", _BOOKING),
        **_link("releaseBooking", "Release this booking, if it is a hold.", _BOOKING),
    }
)
"""Of a booking that may be a hold or definite."""

_NEW_BOOKING: dict[str, JsonValue] = {
    "resource_ids": [_ID],
    **{name: examples.NEW_BOOKING[name] for name in ("start_time", "end_time", "title", "status")},
}

_READ_RESOURCE: Links = {
    **_link("readResource", "Read this resource.", {**_RESOURCE, **_SEES_IT}),
    **_link("readCalendar", "Read what occupies this resource.", {**_RESOURCE, **_SEES_IT}),
}

OF_RETIRED_RESOURCE: Links = MappingProxyType(dict(_READ_RESOURCE))
"""Of a resource that takes no new claims."""

OF_RESOURCE: Links = MappingProxyType(
    {
        **_READ_RESOURCE,
        **_link("changeResource", "Change this resource.", _RESOURCE),
        **_link("retireResource", "Retire this resource.", _RESOURCE),
        **_link("book", "Book this resource.", {}, requestBody=_NEW_BOOKING),
    }
)
"""Of a resource that can be booked."""

OF_EVENTS: Links = MappingProxyType(
    _link("readEvents", "Read on in the log.", {"after": "$response.body#/next_after"})
)
"""Of a part of the log."""
