"""When keys were last used, written down now and then, and never on a request's way."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from itertools import islice
from uuid import UUID

import psycopg
import structlog

from domain.ids import TenantId
from infra.errors import Overloaded
from infra.every_so_often import every_so_often
from infra.postgres.pool import Pool, borrowed

WRITE_SECONDS = 60.0  # between two writings: a key's row changes once a minute and process at most
KEYS_NOTED = 10_000  # whoever comes beyond is not noted this time
WRITTEN_AT_ONCE = 100  # keys in one transaction, so that none is long

log = structlog.get_logger(__name__)

_NAME = "SELECT set_config('app.api_key_hash', %s, true)"
_WRITE = """
    UPDATE booking.api_key
    SET last_used_at = clock_timestamp() - make_interval(secs => %s)
    WHERE tenant_id = %s AND key_id = %s
      AND coalesce(last_used_at < clock_timestamp() - make_interval(secs => %s), true)
"""


@dataclass(frozen=True, slots=True)
class HeldKey:
    """A key, as its row is found again.

    Attributes:
        digest: its SHA-256 in hexadecimal digits; row-level security shows a row to who names it.
        tenant_id: whose it is.
        key_id: which it is.
    """

    digest: str
    tenant_id: TenantId
    key_id: UUID


class LastUses:
    """Notes uses as they come, and writes them down together."""

    def __init__(self, pool: Pool, clock: Callable[[], float]) -> None:
        """Has nothing noted yet.

        Args:
            pool: of `booking_api`.
            clock: seconds that never go backwards.
        """
        self._pool = pool
        self._clock = clock
        self._noted: dict[str, tuple[HeldKey, float]] = {}  # by digest

    def note(self, key: HeldKey, used_at: float) -> None:
        """Takes note that a key is being used.

        Args:
            key: it.
            used_at: when, by the clock.
        """
        if key.digest in self._noted or len(self._noted) < KEYS_NOTED:
            self._noted[key.digest] = (key, used_at)

    async def write(self) -> None:
        """Writes down what was noted. What cannot be written is kept for the next time."""
        noted, self._noted = self._noted, {}
        # In one order, so that two processes never wait for one another.
        waiting = iter(sorted(noted.values(), key=lambda use: (use[0].tenant_id, use[0].key_id)))
        while uses := list(islice(waiting, WRITTEN_AT_ONCE)):
            try:
                await self._write(uses)
            except (Overloaded, psycopg.Error) as error:  # nobody is let in or kept out by it
                log.warning(
                    "access.last_use_not_written", keys=len(noted), error=type(error).__name__
                )
                self._noted = {**noted, **self._noted}
                return

    async def _write(self, uses: list[tuple[HeldKey, float]]) -> None:
        now = self._clock()
        async with borrowed(self._pool) as conn, conn.transaction(), conn.pipeline():
            for key, used_at in uses:
                age = now - used_at
                await conn.execute(_NAME, [key.digest])
                await conn.execute(_WRITE, [age, key.tenant_id, key.key_id, age])

    def written(self, seconds: float = WRITE_SECONDS) -> AbstractAsyncContextManager[None]:
        """Has them written down every so often, and once more on leaving.

        Args:
            seconds: between two writings.
        """
        return every_so_often(self.write, seconds)
