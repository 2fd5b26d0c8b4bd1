"""Which bookings and resources there are: what a client names is looked up as the routes do it.

Neither ever ceases to be, so that what was found once is not looked for again.
"""

from cachetools import LRUCache

from api.problems.from_errors import not_found
from api.problems.problem import ProblemError
from domain.ids import BookingId, ResourceId, TenantId
from infra.engine import BookingEngine
from infra.live import Room

MOST_KNOWN = 50_000


class KnownThings:
    """Looks things up, and remembers what there was."""

    def __init__(self, engine: BookingEngine) -> None:
        """Know nothing.

        Args:
            engine: looks things up.
        """
        self._engine = engine
        self._known: LRUCache[tuple[TenantId, Room], None] = LRUCache(MOST_KNOWN)

    async def check(self, tenant_id: TenantId, room: Room) -> None:
        """See that there is what a room is named after.

        Args:
            tenant_id: whose it has to be.
            room: of a tenant, which always is; of a resource or booking.

        Raises:
            ProblemError: there is no such thing for this tenant (not-found).
            Overloaded: the database could not be asked in time.
        """
        if room.kind == "tenant" or (tenant_id, room) in self._known:
            return
        if room.kind == "booking":
            found = await self._engine.booking(tenant_id, BookingId(room.id))
        else:
            found = await self._engine.resource(tenant_id, ResourceId(room.id))
        if found is None:
            raise ProblemError(not_found(room.kind, room.id))
        self._known[tenant_id, room] = None
