"""Live: what happens to bookings and resources, told to whoever follows the log."""

from infra.live.change import EVERY_CUSTOMER, LiveChange, Room
from infra.live.feed import Feed
from infra.live.message import Heartbeat, Listener, Message
from infra.live.tenant_feed import TenantFeed

__all__ = [
    "EVERY_CUSTOMER",
    "Feed",
    "Heartbeat",
    "Listener",
    "LiveChange",
    "Message",
    "Room",
    "TenantFeed",
]
