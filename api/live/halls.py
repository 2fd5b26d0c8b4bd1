"""The rooms that somebody in this process is in: what each is told is encoded once for all."""

from cachetools import LRUCache

from api.live.library import Telling, telling
from api.live.socket import Socket
from api.live.wire import change_body, heartbeat_body
from domain.ids import TenantId
from infra.live import Heartbeat, Message, Room, TenantFeed
from infra.telemetry.live_metrics import LiveMetrics

KEPT_ENCODED = 4_096
"""Changes, some 4 MB: when a process has died, its clients all resume with the same ones."""


class Hall:
    """One room of one tenant, and who is in it."""

    def __init__(self, halls: "Halls", tenant_id: TenantId, feed: TenantFeed, room: Room) -> None:
        """Have nobody in it yet.

        Args:
            halls: all of them.
            tenant_id: whose.
            feed: the tenant's.
            room: which.
        """
        self._halls = halls
        self._tenant_id = tenant_id
        self._members: dict[Socket, None] = {}
        self._stop = feed.listen(room, self._tell)

    def enter(self, socket: Socket) -> None:
        """Have a socket told what happens from now on.

        Args:
            socket: which.
        """
        self._members[socket] = None

    def leave(self, socket: Socket) -> bool:
        """Have a socket told nothing more.

        Args:
            socket: which.

        Returns:
            Whether it was the last one; then nothing listens any more.
        """
        self._members.pop(socket, None)
        if not self._members:
            self._stop()
        return not self._members

    def _tell(self, told: Message | Heartbeat) -> None:
        if isinstance(told, Heartbeat):
            packet = telling("heartbeat", heartbeat_body(told))
        else:
            packet = self._halls.encoded(self._tenant_id, told)
        self._halls.metrics.sent(len(self._members))
        for member in [*self._members]:  # one that is too slow leaves
            member.put(packet)


class Halls:
    """All of them.

    Attributes:
        metrics: count what is sent.
    """

    def __init__(self, metrics: LiveMetrics) -> None:
        """Have none.

        Args:
            metrics: count what is sent.
        """
        self.metrics = metrics
        self._halls: dict[tuple[TenantId, TenantFeed, Room], Hall] = {}
        self._encoded: LRUCache[tuple[TenantId, Room, int, int], Telling] = LRUCache(KEPT_ENCODED)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._halls)

    def enter(self, socket: Socket, tenant_id: TenantId, feed: TenantFeed, room: Room) -> None:
        """Have a socket told what happens in a room from now on.

        Args:
            socket: which.
            tenant_id: whom it speaks for.
            feed: of that tenant.
            room: which.
        """
        key = (tenant_id, feed, room)
        if (hall := self._halls.get(key)) is None:
            hall = self._halls[key] = Hall(self, tenant_id, feed, room)
        hall.enter(socket)

    def leave(self, socket: Socket, tenant_id: TenantId, feed: TenantFeed, room: Room) -> None:
        """Have a socket told nothing more of a room.

        Args:
            socket: which.
            tenant_id: whom it speaks for.
            feed: of that tenant.
            room: which.
        """
        key = (tenant_id, feed, room)
        hall = self._halls.get(key)
        if hall is not None and hall.leave(socket):
            del self._halls[key]

    def encoded(self, tenant_id: TenantId, message: Message) -> Telling:
        """Give a change as it travels.

        Args:
            tenant_id: whose.
            message: as the room is told of it.
        """
        key = (tenant_id, message.room, message.position, message.prev)
        packet = self._encoded.get(key)
        if packet is None:
            packet = self._encoded[key] = telling("change", change_body(message))
        return packet
