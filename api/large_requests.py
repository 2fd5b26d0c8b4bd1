"""Lets few large requests in at a time, one of a tenant, so that none can fill the process.

A request of five hundred commands costs as much as five hundred requests. What waits here has been
read and not parsed yet; how much of that there may be is bounded too.
"""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from api.admission import TurnedAway, most_of_one
from domain.ids import TenantId

LARGE_BYTES = 8192
"""A body of more is large: some thirty commands."""

_Line = OrderedDict[asyncio.Future[None], None]


class LargeRequests:
    """The places for large requests, and the lines of those who wait for one."""

    def __init__(
        self,
        places: int = 2,
        waiting: int = 32,
        wait_seconds: float = 10.0,
        body_bytes: int = 64 * 1024 * 1024,
    ) -> None:
        """All places are free.

        Args:
            places: how many are worked on at once, each of another tenant; two of one tenant would
                take turns with their commits, and be done no sooner.
            waiting: how many may wait, three quarters of them one tenant's; more are refused.
            wait_seconds: who waited for so long is refused.
            body_bytes: that large bodies may have together, from the first byte that was read to
                the answer; three quarters of them one tenant's.
        """
        self._free = places
        self._inside: set[TenantId] = set()
        self._most_waiting = waiting
        self._wait_seconds = wait_seconds
        self._waiting = 0
        self._lines: OrderedDict[TenantId, _Line] = OrderedDict()
        self._body_bytes = body_bytes
        self._bytes: Counter[TenantId] = Counter()

    def body(self, tenant_id: TenantId) -> "_Body":
        """Counts a body for as long as the context lasts.

        The context gives what is told how large the body has become, again and again while it is
        read, and raises `TurnedAway` where there is no room for so much. A small body always has
        room.

        Args:
            tenant_id: whose it is.
        """
        return _Body(self, tenant_id)

    def hold(self, tenant_id: TenantId, more: int) -> None:
        """Finds room for bytes, which `let_go` has to follow; `body` sees to both.

        Args:
            tenant_id: whose they are.
            more: how many.

        Raises:
            TurnedAway: there is no room for them.
        """
        if self._bytes.total() + more > self._body_bytes or self._bytes[
            tenant_id
        ] + more > most_of_one(self._body_bytes):
            raise TurnedAway
        self._bytes[tenant_id] += more

    def let_go(self, tenant_id: TenantId, size: int) -> None:
        """Holds bytes no more.

        Args:
            tenant_id: whose they were.
            size: how many.
        """
        self._bytes[tenant_id] -= size
        if not self._bytes[tenant_id]:
            del self._bytes[tenant_id]

    @asynccontextmanager
    async def place(self, tenant_id: TenantId) -> AsyncIterator[None]:
        """Has a place.

        Args:
            tenant_id: whose request it is.

        Raises:
            TurnedAway: too many wait already, or it took too long.
        """
        if self._free and tenant_id not in self._inside:
            self._free -= 1
            self._inside.add(tenant_id)
        else:
            await self._wait_in_line(tenant_id)
        try:
            yield
        finally:
            self._pass_on(tenant_id)

    async def _wait_in_line(self, tenant_id: TenantId) -> None:
        line = self._lines.get(tenant_id, _Line())
        if self._waiting >= self._most_waiting or len(line) >= most_of_one(self._most_waiting):
            raise TurnedAway
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line[place] = None
        self._lines[tenant_id] = line
        self._waiting += 1
        try:
            async with asyncio.timeout(self._wait_seconds):
                await place
        except BaseException as error:
            if place.done() and not place.cancelled():  # given and given up at the same moment
                self._pass_on(tenant_id)
            else:
                self._leave(tenant_id, place)
            if isinstance(error, TimeoutError):
                raise TurnedAway from error
            raise

    def _leave(self, tenant_id: TenantId, place: asyncio.Future[None]) -> None:
        self._waiting -= 1
        line = self._lines[tenant_id]
        del line[place]
        if not line:
            del self._lines[tenant_id]

    def _pass_on(self, leaving: TenantId) -> None:
        """Gives a place that became free to the first of the next tenant's line."""
        self._inside.remove(leaving)
        for tenant_id, line in self._lines.items():
            if tenant_id in self._inside:
                continue
            for place in line:
                if not place.done():  # else its caller gives up just now, and leaves by itself
                    self._leave(tenant_id, place)
                    if line:
                        self._lines.move_to_end(tenant_id)  # behind all other tenants
                    self._inside.add(tenant_id)
                    place.set_result(None)
                    return
        self._free += 1


class _Body:
    """One body; a class, since a generator would take three times as long for each request."""

    __slots__ = ("_counted", "_large", "_tenant_id")

    def __init__(self, large: LargeRequests, tenant_id: TenantId) -> None:
        self._large = large
        self._tenant_id = tenant_id
        self._counted = 0

    def __enter__(self) -> Callable[[int], None]:
        return self._grown_to

    def __exit__(self, *_: object) -> None:
        if self._counted:
            self._large.let_go(self._tenant_id, self._counted)

    def _grown_to(self, size: int) -> None:
        if size > LARGE_BYTES:
            self._large.hold(self._tenant_id, size - self._counted)
            self._counted = size
