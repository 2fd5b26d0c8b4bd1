"""What a token says of itself before anything is believed: which key is to have signed it, and how.

Nothing here decides what is trusted. The key is looked for among those of the issuer that was set,
under the algorithms that were set. A token that brings a key, or an address to fetch one from, or
demands that something be understood (RFC 7515, sections 4.1.2 to 4.1.11) is refused: no issuer of
session tokens needs that, and forgers do.
"""

import binascii
import re
from base64 import urlsafe_b64decode
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from infra.access.tokens.plain_object import read_object
from infra.access.tokens.rejected import Rejected

LONGEST_KEY_ID = 256
REFUSED = frozenset({"jku", "jwk", "x5u", "x5c", "crit", "b64"})

_THREE_PARTS = re.compile(r"([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Head:
    """As much of a token's header as counts.

    Attributes:
        key_id: of the key that is to have signed it.
        algorithm: with which.
    """

    key_id: str
    algorithm: str


def read_head(token: str, *, algorithms: AbstractSet[str], types: AbstractSet[str]) -> Head:
    """Reads, unverified, how a token claims to have been signed.

    Args:
        token: as the client sent it; its length has a bound already.
        algorithms: those that are taken.
        types: what the token may call itself, in small letters; it need not call itself anything.

    Raises:
        Rejected: it is no token, or none that could be taken.
    """
    parts = _THREE_PARTS.fullmatch(token)
    if parts is None:
        raise Rejected("it has not the form of a signed token")
    try:
        header = read_object(urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError):
        raise Rejected("its header is no JSON object") from None
    if not REFUSED.isdisjoint(header):
        raise Rejected("its header names a key, or something that must be understood")
    algorithm, key_id, kind = header.get("alg"), header.get("kid"), header.get("typ", "")
    if not isinstance(algorithm, str) or algorithm not in algorithms:
        raise Rejected("its algorithm is not taken")
    if not isinstance(key_id, str) or not 0 < len(key_id) <= LONGEST_KEY_ID:
        raise Rejected("it names no key")
    # Explicit typing (RFC 8725, section 3.11): what the issuer signs for another purpose, such as
    # a logout token, is no session token.
    if not isinstance(kind, str) or (kind and kind.lower() not in types):
        raise Rejected("it is a token of another kind")
    return Head(key_id, algorithm)
