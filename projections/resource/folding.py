"""The resources as the log tells them: the fold that the table `resource` has to equal."""

from collections.abc import Collection, Sequence
from uuid import UUID

from domain.ids import ResourceId
from domain.resource import Resource
from projections.inline import PlacedEvent
from projections.resource.listing import ListedResource


class ToldResources:
    """The resources after the events so far; none ever goes, so each takes memory."""

    def __init__(self) -> None:
        """Begin before the first event, with no resources."""
        self._resources: dict[UUID, tuple[Resource, int]] = {}

    def follow(self, events: Sequence[PlacedEvent]) -> None:
        """Go on with the next events.

        Args:
            events: of resources, in the order of the log.

        Raises:
            TypeError: an event that is not a resource's.
            eventsourcing.domain.OriginatorVersionError: a resource's event is missing.
        """
        for placed in events:
            stream_id = placed.event.originator_id
            before, _ = self._resources.get(stream_id, (None, 0))
            resource = placed.event.mutate(before)
            if not isinstance(resource, Resource):
                raise TypeError(f"{type(placed.event).__name__} is not known to the resources")
            self._resources[stream_id] = (resource, placed.position)

    def streams(self) -> Collection[UUID]:
        """Name the resources."""
        return self._resources.keys()

    def rows_of(self, stream_id: UUID) -> Sequence[ListedResource]:
        """Tell a resource as it stands."""
        if stream_id not in self._resources:
            return ()
        resource, position = self._resources[stream_id]
        row = ListedResource(
            resource_id=ResourceId(stream_id),
            name=resource.name,
            kind=resource.kind,
            timezone=resource.timezone,
            attributes=resource.attributes,
            retired=resource.retired,
            version=resource.version,
            position=position,
            created_at=resource.created_on,
            updated_at=resource.modified_on,
        )
        return (row,)
