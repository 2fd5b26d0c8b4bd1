"""The keys of one issuer, kept here, so that a sign-in waits for the issuer almost never.

Who comes with a key that is known is not kept waiting, however old the keys are: they are fetched
again beside it, and if the issuer is down the old ones serve on. For a day; by then somebody has
noticed, and a key that was withdrawn must not live for ever because its issuer cannot be asked.

A key that is not known may be one that the issuer has just begun to sign with, so it is worth
asking; but anybody can invent any number of these. So the issuer is asked about them twice a
minute at most, none of them is remembered, and all who come meanwhile wait for the one answer.
"""

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Callable
from contextvars import Context

import structlog
from jwt import PyJWK

from infra.access.tokens.jwks import Keys
from infra.access.tokens.key_source import FetchKeys, IssuerFaltered, KeysNotFetched
from infra.circuit_breaker import CircuitBreaker, CircuitOpen
from infra.errors import IssuerUnavailable, Overloaded
from infra.retrying import Retries, retried
from infra.telemetry.refrain import Refrain

log = structlog.get_logger("access.tokens")

FRESH_SECONDS = 600.0
STALE_SECONDS = 86_400.0
LOOK_SECONDS = 30.0
"""Between two times that the issuer is asked for a key that is not known."""
WAITING = 512
"""How many may wait for the issuer at once; who comes as one more is refused."""
RETRIES = Retries(on=IssuerFaltered, times=2, pause_seconds=0.5, within_seconds=1.0)
"""People wait for it, so one that has not answered for a second is not asked again."""


class KeySet:
    """What the issuer published last. Belongs to one event loop."""

    def __init__(
        self, issuer: str, fetch: FetchKeys, breaker: CircuitBreaker, clock: Callable[[], float]
    ) -> None:
        """Knows no key yet; the first who comes waits for them.

        Args:
            issuer: for the log.
            fetch: asks it.
            breaker: stands around each time that it does.
            clock: seconds that never go backwards.
        """
        self._issuer = issuer
        self._fetch = fetch
        self._breaker = breaker
        self._clock = clock
        self._keys: Keys = {}
        self._fetched_at = self._looked_at = -math.inf
        self._silent = False  # asked last, the issuer did not give its keys
        self._fetching: asyncio.Task[None] | None = None
        self._waiting = 0
        self._why = ""
        self._failures = Refrain(self._tell_failures)

    @contextlib.asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Fetches the keys before somebody needs them; on leaving, asks the issuer no more."""
        self._begin()
        try:
            yield
        finally:
            if self._fetching is not None:
                self._fetching.cancel()
                await asyncio.wait({self._fetching})

    async def find(self, key_id: str, algorithm: str) -> PyJWK | None:
        """Finds a key.

        Args:
            key_id: as the issuer names it.
            algorithm: for which it must be.

        Returns:
            The key; None if the issuer has none such, as far as is known.

        Raises:
            IssuerUnavailable: the issuer does not answer, and without it this cannot be known.
            Overloaded: too many wait for it already.
        """
        named = (key_id, algorithm)
        age = self._clock() - self._fetched_at
        if age >= STALE_SECONDS:
            await self._fetched()
            if self._clock() - self._fetched_at >= STALE_SECONDS:
                raise IssuerUnavailable
        else:
            if age >= FRESH_SECONDS:
                self._begin()
            if named not in self._keys and self._may_look():
                await self._fetched()
        key = self._keys.get(named)
        if key is None and self._silent:  # it may well be one that the issuer could not tell of
            raise IssuerUnavailable
        return key

    def _may_look(self) -> bool:
        if self._is_fetching():
            return True
        now = self._clock()
        if now - self._looked_at < LOOK_SECONDS:
            return False
        self._looked_at = now
        return True

    def _is_fetching(self) -> bool:
        return self._fetching is not None and not self._fetching.done()

    async def _fetched(self) -> None:
        """Waits for a fetch, one for all; whoever leaves does not take it from the others."""
        if self._waiting >= WAITING:
            raise Overloaded
        self._waiting += 1
        try:
            await asyncio.shield(self._begin())
        finally:
            self._waiting -= 1

    def _begin(self) -> "asyncio.Task[None]":
        if self._fetching is None or self._fetching.done():
            # Not in the context of whichever request comes first: it is done for all.
            self._fetching = asyncio.create_task(self._fetch_once(), context=Context())
        return self._fetching

    async def _fetch_once(self) -> None:
        began_at = self._clock()
        try:
            self._keys = await retried(self._fetch, self._breaker, RETRIES)
        except CircuitOpen:  # told of when it opened
            self._silent = True
        except KeysNotFetched as error:
            self._silent, self._why = True, str(error)
            self._failures.due()
        else:
            if self._silent:
                log.info("tokens.keys_back", issuer=self._issuer)
            self._silent, self._fetched_at = False, began_at

    def _tell_failures(self, times: int) -> None:
        log.warning(
            "tokens.keys_not_fetched",
            issuer=self._issuer,
            why=self._why,
            times=times,
            known=len(self._keys),
        )
