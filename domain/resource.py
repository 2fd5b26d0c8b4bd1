"""A resource: whatever can be booked, until it is retired."""

from datetime import datetime
from typing import Self

from eventsourcing.domain import Aggregate
from pydantic import JsonValue

from domain import resource_events
from domain.differences import differences
from domain.errors import ResourceRetired
from domain.ids import ResourceId
from domain.resource_events import ResourceChanges


class Resource(Aggregate):
    """A room, stage, camera, person, street: whatever can be booked.

    Attributes:
        name: what it is called.
        kind: what it is.
        timezone: the IANA name of the zone in which its days are shown.
        attributes: whatever else the client keeps with it.
        retired: whether it takes no new claims; what is booked stays.
    """

    TOPIC = "resource"

    Event = resource_events.ResourceEvent
    Created = resource_events.Registered  # the library's name for a first event
    Registered = resource_events.Registered
    Changed = resource_events.Changed
    Retired = resource_events.Retired

    def __init__(
        self, *, name: str, kind: str, timezone: str, attributes: dict[str, JsonValue]
    ) -> None:
        """Take over what the first event says; the library calls this to apply it."""
        self.name = name
        self.kind = kind
        self.timezone = timezone
        self.attributes = attributes
        self.retired = False

    @classmethod
    def register(
        cls,
        resource_id: ResourceId,
        *,
        name: str,
        kind: str,
        timezone: str,
        attributes: dict[str, JsonValue],
        now: datetime,
    ) -> Self:
        """Make something bookable."""
        return cls._create(
            cls.Registered,
            id=resource_id,
            timestamp=now,
            name=name,
            kind=kind,
            timezone=timezone,
            attributes=attributes,
        )

    def change(self, changes: ResourceChanges, *, now: datetime) -> None:
        """Change what is known of it, retired or not; what is as it was is not recorded."""
        differing = differences(self, changes, among=ResourceChanges.__annotations__)
        if differing:
            self.trigger_event(self.Changed, timestamp=now, changes=differing)

    def retire(self, *, now: datetime) -> None:
        """Take no new claims from here on.

        Raises:
            ResourceRetired: it is retired already.
        """
        if self.retired:
            raise ResourceRetired((ResourceId(self.id),))
        self.trigger_event(self.Retired, timestamp=now)
