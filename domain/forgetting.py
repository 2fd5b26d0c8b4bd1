"""Forgetting a customer: the one thing that can happen to them, and the first and last of it."""

from collections.abc import Iterable
from datetime import datetime
from typing import Self
from uuid import UUID

from eventsourcing.domain import Aggregate, CanMutateAggregate

from domain import customer_events
from domain.customer_events import Forgotten


class ForgottenCustomer(Aggregate):
    """Who has been forgotten: all that the log tells of a customer is that they were.

    Attributes:
        reason: why, for the history; it stays in the log in clear.
    """

    TOPIC = "customer"

    Event = customer_events.CustomerEvent
    Created = customer_events.Forgotten  # the library's name for a first event
    Forgotten = customer_events.Forgotten

    def __init__(self, *, reason: str | None) -> None:
        """Take over what the event says; the library calls this to apply it."""
        self.reason = reason

    @classmethod
    def forget(cls, key_id: UUID, reason: str | None, *, now: datetime) -> Self:
        """Decide to forget a customer.

        Whether they still can be forgotten is the log's to say: their stream has no event yet.

        Args:
            key_id: the key that seals their data.
            reason: why.
            now: the moment of the decision, in UTC.
        """
        return cls._create(cls.Forgotten, id=key_id, timestamp=now, reason=reason)


def destroyed_keys_from(events: Iterable[CanMutateAggregate[UUID]]) -> tuple[UUID, ...]:
    """Tell which customers' keys go with new events.

    Like the claims (`claims.py`), they depend on nothing but the events, and go with them.

    Args:
        events: of any number of streams.
    """
    return tuple(event.originator_id for event in events if isinstance(event, Forgotten))
