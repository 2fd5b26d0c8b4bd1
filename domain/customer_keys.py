"""Which customers' keys new events are sealed with.

Like the claims (`claims.py`), they depend on nothing but the events, and come with them.
"""

from collections.abc import Iterable
from uuid import UUID

from eventsourcing.domain import CanMutateAggregate

from domain.booking_events import Amended, BookingCreated
from domain.customer import SealedCustomer


def keys_sealing(events: Iterable[CanMutateAggregate[UUID]]) -> frozenset[UUID]:
    """Tell with which keys the customers in new events are sealed.

    Args:
        events: of any number of streams.
    """
    return frozenset(
        customer.key_id for event in events if (customer := _customer_in(event)) is not None
    )


def _customer_in(event: CanMutateAggregate[UUID]) -> SealedCustomer | None:
    match event:
        case BookingCreated():
            return event.customer
        case Amended(changes={"customer": customer}):
            return customer
        case _:
            return None
