"""API keys, as a process finds out who holds one."""

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from functools import partial

from infra.access.principal import Principal
from infra.errors import Overloaded
from infra.postgres.pool import Pool, borrowed

TRUST_SECONDS = 10.0  # how long a revoked key may still be let in
TRUSTED_KEYS = 10_000
KEYS_ASKED = 512  # that the database is being asked about; who comes with one more is refused
ASKED_AT_ONCE = (
    4  # of these, on a connection each: whatever keys are tried, most are left for others
)
ASK_SECONDS = 3.0  # that one waits for such a connection
LONGEST_KEY = 512  # characters; more is not even hashed

_FIND = """
    SELECT tenant_id, key_id, role FROM booking.api_key
    WHERE secret_hash = decode(%s, 'hex') AND revoked_at IS NULL
"""


class ApiKeys:
    """Knows who holds a key, and trusts its own memory for a few seconds."""

    def __init__(
        self,
        pool: Pool,
        clock: Callable[[], float] = time.monotonic,
        *,
        trust_seconds: float = TRUST_SECONDS,
        trusted_keys: int = TRUSTED_KEYS,
    ) -> None:
        """Remember nothing yet.

        Args:
            pool: a pool of `booking_api`.
            clock: seconds that never go backwards.
            trust_seconds: how long an answer is good for; a revoked key works that much longer.
            trusted_keys: how many answers are kept; the one longest unused goes first.
        """
        self._pool = pool
        self._clock = clock
        self._trust_seconds = trust_seconds
        self._trusted_keys = trusted_keys
        self._trusted: OrderedDict[str, tuple[float, Principal]] = OrderedDict()
        self._asking: dict[str, asyncio.Task[Principal | None]] = {}
        self._at_once = asyncio.Semaphore(ASKED_AT_ONCE)

    async def authenticate(self, credentials: str) -> Principal | None:
        """Find out who holds a key.

        Args:
            credentials: the key, as the client sent it.

        Returns:
            Whom it speaks for; None if it is unknown or revoked.

        Raises:
            Overloaded: the database cannot be asked just now, or about too many keys already.
        """
        if len(credentials) > LONGEST_KEY:
            return None
        digest = hashlib.sha256(credentials.encode("utf-8", "backslashreplace")).hexdigest()
        known = self._trusted.get(digest)
        if known is not None and self._clock() < known[0]:
            self._trusted.move_to_end(digest)
            return known[1]
        # All who come with it meanwhile wait for one answer: a busy key must not fill the pool each
        # time its answer grows old. One who leaves does not take the answer from the others.
        asking = self._asking.get(digest)
        if asking is None:
            if len(self._asking) >= KEYS_ASKED:
                raise Overloaded
            asking = self._asking[digest] = asyncio.create_task(self._ask(digest))
            asking.add_done_callback(partial(self._asked, digest))
        return await asyncio.shield(asking)

    def _asked(self, digest: str, asking: "asyncio.Task[Principal | None]") -> None:
        del self._asking[digest]
        if not asking.cancelled():
            asking.exception()  # told to whoever still waits; perhaps nobody does

    async def _ask(self, digest: str) -> Principal | None:
        self._trusted.pop(digest, None)
        asked_at = self._clock()
        principal = await self._look_up(digest)
        if principal is not None:
            self._trusted[digest] = (asked_at + self._trust_seconds, principal)
            while len(self._trusted) > self._trusted_keys:
                self._trusted.popitem(last=False)
        return principal

    async def _look_up(self, digest: str) -> Principal | None:
        try:
            async with asyncio.timeout(ASK_SECONDS):
                await self._at_once.acquire()
        except TimeoutError as error:
            raise Overloaded from error
        try:
            return await self._find(digest)
        finally:
            self._at_once.release()

    async def _find(self, digest: str) -> Principal | None:
        async with borrowed(self._pool) as conn, conn.pipeline(), conn.transaction():
            # Row-level security shows the one key whose hash is named, to whoever names it.
            await conn.execute("SELECT set_config('app.api_key_hash', %s, true)", [digest])
            found = await (await conn.execute(_FIND, [digest])).fetchone()
        if found is None:
            return None
        tenant_id, key_id, role = found
        return Principal(tenant_id, role, f"key:{key_id}")
