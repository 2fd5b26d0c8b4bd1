"""Follows one tenant's log, remembers the end of it, and tells the rooms."""

import asyncio
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from uuid import UUID

import structlog

from domain.ids import TenantId
from infra.errors import Overloaded
from infra.live.change import LiveChange, Room
from infra.live.deriving import EVENTS_AT_ONCE, Deriving, read_part
from infra.live.memory import MOST_REMEMBERED, Memory, block_before
from infra.live.message import Heartbeat, Listener, Message
from infra.log.reader import select_head
from infra.postgres.pool import Pool, reading

log = structlog.get_logger(__name__)

GATHER_SECONDS = 0.01
"""Between two looks at the log: under load, many events are read at once."""

AGAIN_SECONDS = 0.5
"""After a look that failed."""


class TenantFeed:
    """One tenant's log as this process has followed it. Belongs to one event loop.

    Attributes:
        used_at: when somebody last asked for something, in seconds of the monotonic clock.
        looked_at: when the last look at the log began that came back, likewise.
    """

    def __init__(
        self,
        pool: Pool,
        deriving: Deriving,
        tenant_id: TenantId,
        position: int,
    ) -> None:
        """Stand at a position; nothing is followed yet.

        Args:
            pool: connections of `booking_api`.
            deriving: makes changes of events.
            tenant_id: whose log.
            position: where it ends.
        """
        self._pool = pool
        self._deriving = deriving
        self._tenant_id = tenant_id
        self._memory = Memory(block_before(position))
        self._known = position
        self._hinted = True  # until the first look
        self._begun = self._ended = 0  # looks, by their number
        self._failing: str | None = None  # the error that the last look ended in
        self._looked = asyncio.Condition()
        self._some = asyncio.Event()
        self._reaching = asyncio.Lock()
        self._listeners: dict[Room, dict[object, Listener]] = {}
        self._last: dict[Room, int] = {}
        self.used_at = self.looked_at = time.monotonic()

    @property
    def position(self) -> int:
        """Everything up to here has been told."""
        return self._memory.position

    @property
    def head(self) -> int:
        """The log is known, or thought, to be at least here."""
        return max(self._known, self.position + 1 if self._hinted else 0)

    @property
    def begin(self) -> int:
        """Changes after this position are remembered."""
        return self._memory.begin

    @property
    def remembered(self) -> int:
        """How many changes are."""
        return len(self._memory)

    @property
    def rooms(self) -> int:
        """How many have a listener."""
        return len(self._listeners)

    def appended(self, seq: int) -> None:
        """Learn that the log is at least this long.

        Args:
            seq: its last position known.
        """
        if seq > self._known:
            self._known = seq
            self._some.set()

    def wake(self) -> None:
        """Learn that the log may be longer."""
        self._hinted = True
        self._some.set()

    async def reached(self, position: int, seconds: float) -> bool:
        """Wait until everything up to a position is told.

        Args:
            position: which.
            seconds: how long at most.

        Returns:
            Whether it is.
        """
        self.used_at = time.monotonic()
        if self.position >= position:
            return True
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds), self._looked:
                await self._looked.wait_for(lambda: self.position >= position)
        return self.position >= position

    async def current(self, seconds: float) -> bool:
        """Wait until nothing is known of the log that was not told.

        Args:
            seconds: how long at most.

        Returns:
            Whether nothing is.
        """
        self.used_at = time.monotonic()
        if self.position >= self.head:
            return True
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds), self._looked:
                await self._looked.wait_for(lambda: self.position >= self.head)
        return self.position >= self.head

    async def caught_up(self, position: int, seconds: float) -> bool:
        """Wait until all is told that is known, or thought, of the log at this moment.

        Under load, `current` would wait for what is appended meanwhile, too. After a look that
        failed nobody waits here: the next one may fail as well.

        Args:
            position: that has to be told besides; nobody waits for what the log turns out not to
                have.
            seconds: how long at most.

        Returns:
            Whether it is.
        """
        self.used_at = time.monotonic()
        known, look = self._known, self._begun + 1 if self._hinted else 0

        def told() -> bool:
            return self.position >= known and self._ended >= look

        if not told():
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds), self._looked:
                    await self._looked.wait_for(lambda: self._failing is not None or told())
        return told() and self.position >= position

    async def reach(self, after: int) -> bool:
        """Remember back to a position, so that what came after it can be told again.

        Args:
            after: the position; after the end of the log there is nothing to tell.

        Returns:
            Whether it is remembered; not if it is too long ago, or cannot be read.

        Raises:
            Overloaded: the database could not be asked in time.
        """
        self.used_at = time.monotonic()
        begin = block_before(after)
        async with self._reaching:
            while self.begin > after:
                if self.position - begin > MOST_REMEMBERED:
                    return False
                try:
                    await self._remember_back_to(max(begin, self.begin - EVENTS_AT_ONCE))
                except Overloaded:
                    raise
                except Exception as error:  # who asks reads anew, as after a long absence
                    log.exception("feed.cannot_read", error=type(error).__name__, after=begin)
                    return False
        return True

    async def _remember_back_to(self, begin: int) -> None:
        until = self.begin
        async with reading(self._pool, self._tenant_id) as conn:
            part = await read_part(conn, self._tenant_id, begin, until - begin)
        changes = await self._deriving.changes(part)
        if until == self.begin:  # else some of what follows was forgotten meanwhile
            self._memory.prepend(changes)

    def since(self, after: int, room: Room) -> Sequence[Message]:
        """Tell again what a room was told.

        Args:
            after: the position after which; it must be remembered (`reach`).
            room: which.

        Raises:
            LookupError: it is not remembered.
        """
        if after < self.begin:
            raise LookupError(f"what came after position {after} is not remembered")
        prev = self._memory.last_in(room, until=after)
        messages = []
        for change in self._memory.after(after):
            if room in change.rooms:
                messages.append(Message(room, change.position, prev, change))
                prev = change.position
        return messages

    def listen(self, room: Room, listener: Listener) -> Callable[[], None]:
        """Have a room's messages told from now on.

        Args:
            room: which.
            listener: is told.

        Returns:
            What ends it.
        """
        if room not in self._listeners:
            self._last[room] = self._memory.last_in(room, until=self.position)
        listening = object()
        self._listeners.setdefault(room, {})[listening] = listener

        def stop() -> None:
            those = self._listeners.get(room, {})
            those.pop(listening, None)
            if not those and self._listeners.pop(room, None) is not None:
                del self._last[room]

        return stop

    def beat(self) -> None:
        """Tell every room how far it should be."""
        for room, listeners in [*self._listeners.items()]:
            heartbeat = Heartbeat(room, self._last[room], self.position)
            for listener in [*listeners.values()]:
                listener(heartbeat)

    def version(self, ids: Collection[UUID]) -> int:
        """Tell since when nothing of what is shown of some things has changed, up to `position`.

        Args:
            ids: bookings, resources, or `EVERY_CUSTOMER`.
        """
        self.used_at = time.monotonic()
        return self._memory.version(ids)

    def forget_a_block(self) -> None:
        """Remember less."""
        self._memory.forget_a_block()

    async def follow(self) -> None:
        """Follow the log until cancelled."""
        while True:
            if not self._hinted and self.position >= self._known:
                self._some.clear()
                await self._some.wait()
            try:
                await self._look()
            except Exception as error:  # noqa: BLE001 - the log is told
                # A newer program's event, say; whatever it is, following goes on. Nobody is told
                # anything wrong meanwhile: who wants to know how it is sees that more is known than
                # was told, and asks the database.
                await self._rest(error)
            await asyncio.sleep(GATHER_SECONDS)

    async def _look(self) -> None:
        self._hinted = False
        self._begun += 1
        began = time.monotonic()
        try:
            async with reading(self._pool, self._tenant_id) as conn:
                head = await select_head(conn, self._tenant_id)
                self._known = max(self._known, head.seq)
                part = await read_part(conn, self._tenant_id, self.position, EVENTS_AT_ONCE)
            changes = await self._deriving.changes(part)
        except BaseException:
            self._hinted = True
            raise
        for change in changes:
            self._memory.append(change)
            self._tell(change)
        self._ended, self.looked_at = self._begun, began
        if self._failing is not None:
            log.info("feed.follows_again", tenant=str(self._tenant_id))
            self._failing = None
        await self._tell_who_waits()

    async def _rest(self, error: Exception) -> None:
        """Let some time pass after a look that failed; the log is told of the first of many."""
        if (name := type(error).__name__) != self._failing:
            told = log.bind(tenant=str(self._tenant_id), error=name)
            if isinstance(error, Overloaded):
                told.warning("feed.cannot_look")
            else:
                told.error("feed.cannot_read", after=self.position, exc_info=error)
        self._failing = name
        await self._tell_who_waits()
        await asyncio.sleep(AGAIN_SECONDS)

    async def _tell_who_waits(self) -> None:
        async with self._looked:
            self._looked.notify_all()

    def _tell(self, change: LiveChange) -> None:
        for room in change.rooms:
            if (listeners := self._listeners.get(room)) is None:
                continue
            message = Message(room, change.position, self._last[room], change)
            self._last[room] = change.position
            for listener in [*listeners.values()]:
                listener(message)
