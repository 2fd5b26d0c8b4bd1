"""What can happen to a resource, and what follows from it; see `booking_events.py` as well."""

from typing import TYPE_CHECKING, ClassVar

from eventsourcing.domain import Aggregate
from pydantic import JsonValue

# Pydantic reads typing's own TypedDict from Python 3.12 on only.
from typing_extensions import TypedDict

if TYPE_CHECKING:
    from domain.resource import Resource


class ResourceChanges(TypedDict, total=False):
    """What of a resource becomes what; what is absent stays as it is."""

    name: str
    kind: str
    timezone: str
    attributes: dict[str, JsonValue]


class ResourceEvent(Aggregate.Event):
    """Something that happened to a resource."""

    TOPIC: ClassVar[str]
    class_version: ClassVar[int] = 1


class Registered(ResourceEvent, Aggregate.Created):
    """The resource became bookable."""

    TOPIC = "resource.registered"
    name: str
    kind: str
    timezone: str
    attributes: dict[str, JsonValue]


class Changed(ResourceEvent):
    """What is known of the resource was changed; only what differs is named."""

    TOPIC = "resource.changed"
    changes: ResourceChanges

    def apply(self, aggregate: "Resource") -> None:
        """Take over what is named."""
        for name, value in self.changes.items():
            setattr(aggregate, name, value)


class Retired(ResourceEvent):
    """The resource takes no new claims from here on."""

    TOPIC = "resource.retired"

    def apply(self, aggregate: "Resource") -> None:
        """Remember it."""
        aggregate.retired = True
