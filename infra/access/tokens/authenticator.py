"""Finds out whom a token speaks for.

What was found of a token is remembered for some seconds: a client shows the same one with each
request, and to check a signature costs more than all else that is done to know who asks. Only what
its issuer has said is remembered. Whether its user may still come in is asked each time, of those
who know; so the two memories never add up. And only good tokens are remembered, under their
SHA-256: bad ones take no room, and none can be read out of the memory.
"""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable

import structlog
from jwt import PyJWK, PyJWS
from jwt.exceptions import PyJWTError

from infra.access.bearer import LONGEST_TOKEN
from infra.access.principal import Principal
from infra.access.sign_in import Admission, SignIn
from infra.access.tokens.claims import Verified, check_claims
from infra.access.tokens.head import read_head
from infra.access.tokens.key_set import KeySet
from infra.access.tokens.plain_object import read_object
from infra.access.tokens.rejected import Rejected
from infra.access.tokens.rules import Claims, Rules

log = structlog.get_logger("access.tokens")

TRUST_SECONDS = 10.0  # how long a token is taken after its key was withdrawn
TRUSTED_TOKENS = 10_000

_SIGNATURES = PyJWS(["RS256", "ES256"])


class TokenAuthenticator:
    """Knows the bearers of one issuer's tokens. Belongs to one event loop."""

    def __init__(
        self,
        rules: Rules,
        keys: KeySet,
        admission: Admission,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
        trusted_tokens: int = TRUSTED_TOKENS,
    ) -> None:
        """Remembers no token yet.

        Args:
            rules: what is asked of the issuer's tokens.
            keys: the issuer's.
            admission: knows whether the user may come in, and as whom.
            clock: seconds that never go backwards.
            wall_clock: seconds since 1970.
            trusted_tokens: how many tokens are remembered; the one longest unused goes first.
        """
        self._rules = rules
        self._keys = keys
        self._admission = admission
        self._clock = clock
        self._wall_clock = wall_clock
        self._trusted_tokens = trusted_tokens
        self._trusted: OrderedDict[bytes, tuple[float, SignIn]] = OrderedDict()

    async def authenticate(self, credentials: str) -> Principal | None:
        """Finds out whom a token speaks for.

        Args:
            credentials: the token, as the client sent it.

        Returns:
            Whom; None if it is forged, has expired, or is not for us. Why is in the log alone.

        Raises:
            NotAdmitted: the user is known, but may not come in.
            Unavailable: it cannot be found out just now.
        """
        try:
            sign_in = await self._sign_in(credentials)
        except Rejected as rejected:
            log.debug("tokens.rejected", issuer=self._rules.issuer, reason=rejected.reason)
            return None
        return await self._admission.admit(sign_in)

    async def _sign_in(self, token: str) -> SignIn:
        if len(token) > LONGEST_TOKEN:
            raise Rejected("it is too long")
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        known = self._remembered(digest)
        if known is not None:
            return known
        head = read_head(token, algorithms=self._rules.algorithms, types=self._rules.types)
        key = await self._keys.find(head.key_id, head.algorithm)
        if key is None:
            raise Rejected("its key is not known")
        # Others may have come with it while the keys were fetched.
        return self._remembered(digest) or self._verified(token, key, digest)

    def _remembered(self, digest: bytes) -> SignIn | None:
        known = self._trusted.get(digest)
        if known is None or self._clock() >= known[0]:
            return None
        self._trusted.move_to_end(digest)
        return known[1]

    def _verified(self, token: str, key: PyJWK, digest: bytes) -> SignIn:
        now = self._wall_clock()
        verified = check_claims(_signed_claims(token, key), self._rules, now)
        self._remember(digest, verified, now)
        return verified.sign_in

    def _remember(self, digest: bytes, verified: Verified, now: float) -> None:
        # Within the leeway after its `exp` a token is checked each time.
        trusted = min(TRUST_SECONDS, verified.expires_at - now)
        if trusted <= 0:
            return
        self._trusted[digest] = (self._clock() + trusted, verified.sign_in)
        self._trusted.move_to_end(digest)
        while len(self._trusted) > self._trusted_tokens:
            self._trusted.popitem(last=False)


def _signed_claims(token: str, key: PyJWK) -> Claims:
    """Checks the signature with the algorithm that is the key's, whatever the token says of it."""
    try:
        signed = _SIGNATURES.decode_complete(token, key, algorithms=[key.algorithm_name])
    except PyJWTError:
        raise Rejected("its signature is not that of the key") from None
    try:
        return read_object(signed["payload"])
    except ValueError:
        raise Rejected("its claims are no JSON object") from None
