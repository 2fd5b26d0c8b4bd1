"""What can happen to a customer, as the log knows them: by the id of their key, and no other."""

from typing import ClassVar

from eventsourcing.domain import Aggregate


class CustomerEvent(Aggregate.Event):
    """Something that happened to a customer; its stream is the id of the key sealing their data."""

    TOPIC: ClassVar[str]
    class_version: ClassVar[int] = 1


class Forgotten(CustomerEvent, Aggregate.Created):
    """The customer's key was destroyed with this event: nobody can read their data any more."""

    TOPIC = "customer.forgotten"
    reason: str | None
