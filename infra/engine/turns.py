"""Commands to one thing take turns within a process, rather than make one another stale."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

from domain.ids import TenantId
from infra.errors import Overloaded

WAIT_SECONDS = 5.0


@dataclass(slots=True)
class _Turn:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    wanted_by: int = 0


class Turns:
    """First come, first served, for each stream; what nobody wants is not kept.

    It saves work and decides nothing: other processes take no part, the log checks versions anyway.
    """

    def __init__(self) -> None:
        """Nobody waits yet."""
        self._turns: dict[tuple[TenantId, UUID], _Turn] = {}

    @asynccontextmanager
    async def of(self, tenant_id: TenantId, stream_ids: Iterable[UUID]) -> AsyncIterator[None]:
        """Waits until it is one's turn with all of the streams, and passes them on at the end.

        Args:
            tenant_id: whose.
            stream_ids: which; taken in one order by all, so that no two wait for each other.

        Raises:
            Overloaded: those before take too long, as when the database does not answer them.
        """
        async with AsyncExitStack() as held:
            try:
                async with asyncio.timeout(WAIT_SECONDS):
                    for stream in sorted(stream_ids):
                        await held.enter_async_context(self._turn((tenant_id, stream)))
            except TimeoutError as error:
                raise Overloaded from error
            yield

    @asynccontextmanager
    async def _turn(self, key: tuple[TenantId, UUID]) -> AsyncIterator[None]:
        turn = self._turns.setdefault(key, _Turn())
        turn.wanted_by += 1
        try:
            async with turn.lock:
                yield
        finally:
            turn.wanted_by -= 1
            if not turn.wanted_by:
                del self._turns[key]
