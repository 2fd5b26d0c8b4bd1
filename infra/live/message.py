"""What a room is told, in the order of the log, and how whoever listens notices that it lost some.

A listener keeps the position of the last message it took, or that it began to listen at. It drops a
message at or before that, takes one whose `prev` is not after it, and has lost something where
`prev` is after it: then it goes back to the log, from its own position on.
"""

from collections.abc import Callable
from dataclasses import dataclass

from infra.live.change import LiveChange, Room


@dataclass(frozen=True, slots=True)
class Message:
    """A change, as one room is told of it.

    Attributes:
        room: whom.
        position: of the change.
        prev: position of the message before it in this room, or one before which whoever listens
            to it has been told everything.
        change: what happened.
    """

    room: Room
    position: int
    prev: int
    change: LiveChange


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Tells a room now and then what it should have been told.

    Attributes:
        room: whom.
        position: of the last message; whoever is before it has lost something.
        head: up to where the tenant's log was looked at; else one may go on from there.
    """

    room: Room
    position: int
    head: int


Listener = Callable[[Message | Heartbeat], None]
"""Is told at once and in order; it must neither wait nor fail."""
