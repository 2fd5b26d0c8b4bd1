"""Lets a few large requests in at a time, tenants in turn, so that one cannot fill the process.

A request of five hundred commands costs as much as five hundred requests. What waits here has been
read and not parsed yet, so that it takes little memory.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from domain.ids import TenantId
from infra.errors import Overloaded

LARGE_BYTES = 8192
"""A body of more is large: some thirty commands."""


class LargeRequests:
    """The places for large requests, and the lines of those who wait for one."""

    def __init__(self, places: int = 2, waiting: int = 32, wait_seconds: float = 10.0) -> None:
        """All places are free.

        Args:
            places: how many are worked on at once; one decides while another's commands commit.
            waiting: how many may wait, three quarters of them one tenant's; more are refused.
            wait_seconds: who waited for so long is refused.
        """
        self._free = places
        self._waiting = waiting
        self._wait_seconds = wait_seconds
        self._lines: OrderedDict[TenantId, deque[asyncio.Future[None]]] = OrderedDict()

    @asynccontextmanager
    async def place(self, tenant_id: TenantId) -> AsyncIterator[None]:
        """Has a place.

        Args:
            tenant_id: whose request it is.

        Raises:
            Overloaded: too many wait already, or it took too long; nothing was done.
        """
        if self._free:
            self._free -= 1
        else:
            await self._wait_in_line(tenant_id)
        try:
            yield
        finally:
            self._pass_on()

    async def _wait_in_line(self, tenant_id: TenantId) -> None:
        line = self._lines.get(tenant_id, deque())
        if len(line) >= self._waiting * 3 // 4 or self._number_waiting() >= self._waiting:
            raise Overloaded
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line.append(place)
        self._lines[tenant_id] = line
        try:
            async with asyncio.timeout(self._wait_seconds):
                await place
        except BaseException as error:
            if place.done() and not place.cancelled():  # given and given up at the same moment
                self._pass_on()
            if isinstance(error, TimeoutError):
                raise Overloaded from error
            raise

    def _number_waiting(self) -> int:
        return sum(not place.done() for line in self._lines.values() for place in line)

    def _pass_on(self) -> None:
        while self._lines:
            tenant_id, line = self._lines.popitem(last=False)
            place = line.popleft()
            if line:
                self._lines[tenant_id] = line  # behind all other tenants
            if not place.done():
                place.set_result(None)
                return
        self._free += 1
