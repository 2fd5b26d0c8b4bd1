"""API keys, as a process finds out who holds one.

Neither the dictionary here nor the index in the database takes the same time for every key, and
neither has to: what is looked up is the SHA-256 of what was sent. Whoever measures how far two of
these agree learns nothing of a key, since nobody can choose what a hash begins with and the key
itself is 256 random bits.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from infra.access.key_form import LONGEST_KEY, digest_of
from infra.access.last_use import HeldKey, LastUses
from infra.access.principal import Principal
from infra.asking import Asking
from infra.errors import Overloaded
from infra.postgres.pool import Pool, borrowed

TRUST_SECONDS = 10.0  # how long a revoked key may still be let in; an expired one is not
TRUSTED_KEYS = 10_000
KEYS_ASKED = 512  # that the database is being asked about; who comes with one more is refused
ASKED_AT_ONCE = (
    4  # of these, on a connection each: whatever keys are tried, most are left for others
)
ASK_SECONDS = 3.0  # that one waits for such a connection

_FIND = """
    SELECT tenant_id, key_id, role, resource_id,
           extract(epoch FROM expires_at - clock_timestamp())::float8 AS lives
    FROM booking.api_key
    WHERE secret_hash = decode(%s, 'hex') AND revoked_at IS NULL
      AND coalesce(expires_at > clock_timestamp(), true)
"""


@dataclass(frozen=True, slots=True)
class _Found:
    """What the database says of a key that lets in.

    Attributes:
        principal: whom it speaks for.
        held: how its row is found again.
        lives: the seconds until it expires; None for ever.
    """

    principal: Principal
    held: HeldKey
    lives: float | None


class ApiKeys:
    """Knows who holds a key, and trusts its own memory for a few seconds.

    Attributes:
        last_uses: of the keys that were let in; for whoever runs this to have written down.
    """

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
        self.last_uses = LastUses(pool, clock)
        self._trusted: OrderedDict[str, tuple[float, _Found]] = OrderedDict()
        self._asking = Asking(self._ask, KEYS_ASKED)
        self._at_once = asyncio.Semaphore(ASKED_AT_ONCE)

    async def authenticate(self, credentials: str) -> Principal | None:
        """Find out who holds a key.

        Args:
            credentials: the key, as the client sent it.

        Returns:
            Whom it speaks for; None if it is unknown, revoked or has expired.

        Raises:
            Overloaded: the database cannot be asked just now, or about too many keys already.
        """
        if len(credentials) > LONGEST_KEY:
            return None
        digest = digest_of(credentials).hex()
        now = self._clock()
        known = self._trusted.get(digest)
        if known is not None and now < known[0]:
            self._trusted.move_to_end(digest)
            found: _Found | None = known[1]
        else:
            found = await self._asking.answer(digest)
        if found is None:
            return None
        self.last_uses.note(found.held, now)
        return found.principal

    async def _ask(self, digest: str) -> _Found | None:
        self._trusted.pop(digest, None)
        asked_at = self._clock()
        found = await self._look_up(digest)
        if found is not None:
            # Counted from before the database was asked: rather too short than too long.
            trusted = self._trust_seconds
            if found.lives is not None:
                trusted = min(trusted, found.lives)
            self._trusted[digest] = (asked_at + trusted, found)
            while len(self._trusted) > self._trusted_keys:
                self._trusted.popitem(last=False)
        return found

    async def _look_up(self, digest: str) -> _Found | None:
        try:
            async with asyncio.timeout(ASK_SECONDS):
                await self._at_once.acquire()
        except TimeoutError as error:
            raise Overloaded from error
        try:
            return await self._find(digest)
        finally:
            self._at_once.release()

    async def _find(self, digest: str) -> _Found | None:
        async with borrowed(self._pool) as conn, conn.pipeline(), conn.transaction():
            # Row-level security shows the one key whose hash is named, to whoever names it.
            await conn.execute("SELECT set_config('app.api_key_hash', %s, true)", [digest])
            row = await (await conn.execute(_FIND, [digest])).fetchone()
        if row is None:
            return None
        tenant_id, key_id, role, resource_id, lives = row
        return _Found(
            Principal(tenant_id, role, f"key:{key_id}", resource_id=resource_id),
            HeldKey(digest, tenant_id, key_id),
            lives,
        )
