"""The last changes of one tenant, without a gap: what was told, and could be told again.

How far back it reaches is always a multiple of `BLOCK` or the log's beginning, so that processes
which began to follow a tenant at different times agree on it: see `version`.
"""

from collections import deque
from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from uuid import UUID

from infra.live.change import LiveChange, Room

BLOCK = 256
"""Changes that are forgotten together."""

MOST_REMEMBERED = 5_120
"""Of one tenant; some 8 MB. Who comes back after more than that reads the calendar anew."""


def block_before(position: int) -> int:
    """Tell the position from which on a memory begins that is to reach back to another one.

    Args:
        position: to which it has to reach back.
    """
    return position // BLOCK * BLOCK


class Memory:
    """The last changes of one tenant.

    Attributes:
        begin: the changes after this position are remembered.
    """

    def __init__(self, position: int) -> None:
        """Remember nothing yet.

        Args:
            position: after which the first change is to come.
        """
        self.begin = position
        self._changes: deque[LiveChange] = deque()
        self._touched: dict[UUID, int] = {}

    def __len__(self) -> int:
        """How many changes are remembered."""
        return len(self._changes)

    @property
    def position(self) -> int:
        """Of the last change."""
        return self.begin + len(self._changes)

    def append(self, change: LiveChange) -> None:
        """Remember the next change, and forget the oldest ones where they are too many.

        Args:
            change: the one after `position`.
        """
        self._changes.append(change)
        for touched in change.touched:
            self._touched[touched] = change.position
        if len(self._changes) > MOST_REMEMBERED:
            self.forget_a_block()

    def prepend(self, changes: Sequence[LiveChange]) -> None:
        """Remember what came before.

        Args:
            changes: the ones up to `begin`, in order, whole blocks of them.
        """
        for change in reversed(changes):
            self._changes.appendleft(change)
            for touched in change.touched:
                self._touched.setdefault(touched, change.position)
        self.begin -= len(changes)

    def forget_a_block(self) -> None:
        """Forget the oldest changes, up to the next multiple of `BLOCK`."""
        until = min(block_before(self.begin) + BLOCK, self.position)
        for _ in range(until - self.begin):
            self._changes.popleft()
        self.begin = until
        self._touched = {each: at for each, at in self._touched.items() if at > until}

    def after(self, position: int) -> Iterator[LiveChange]:
        """Give what came after a position.

        Args:
            position: not before `begin`.
        """
        return islice(self._changes, max(0, position - self.begin), None)

    def last_in(self, room: Room, until: int) -> int:
        """Tell the position of the last change that a room was told.

        Args:
            room: which.
            until: the last position to look at.

        Returns:
            The position; `begin` where none is remembered.
        """
        for change in islice(reversed(self._changes), max(0, self.position - until), None):
            if room in change.rooms:
                return change.position
        return self.begin

    def version(self, ids: Collection[UUID]) -> int:
        """Tell since when nothing of what is shown of some things has changed.

        It can be a part of the key of a cached answer: what any process has read since then, it
        could have read at any moment from then until now.

        Args:
            ids: bookings, resources, or `EVERY_CUSTOMER`.

        Returns:
            The largest position at which one of them changed; `begin` where none is remembered.
        """
        return max([self.begin, *(self._touched.get(each, 0) for each in ids)])
