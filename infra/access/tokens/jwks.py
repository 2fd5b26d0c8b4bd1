"""The keys that an issuer publishes (RFC 7517), as far as they can be used here."""

import binascii
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from jwt import PyJWK
from jwt.exceptions import PyJWTError
from pydantic import JsonValue

from infra.access.tokens.head import LONGEST_KEY_ID
from infra.access.tokens.plain_object import read_object

MOST_KEYS = 32
SHORTEST_RSA, LONGEST_RSA = 2048, 8192  # bits; a longer one costs more than it proves

Keys = Mapping[tuple[str, str], PyJWK]
"""By id and algorithm."""


class NoKeySet(Exception):
    """What was fetched is no key set, or has no key of use; the message says which."""


def read_key_set(text: bytes, algorithms: AbstractSet[str]) -> Keys:
    """Reads a key set.

    Args:
        text: as fetched.
        algorithms: of which keys are wanted.

    Returns:
        The keys that are fit for one of these; others are passed over, as RFC 7517 has it.

    Raises:
        NoKeySet: it is none, is too large, or has no such key.
    """
    try:
        published = read_object(text).get("keys")
    except ValueError as error:
        raise NoKeySet("what it gives is no JSON object") from error
    if not isinstance(published, list):
        raise NoKeySet("what it gives is no key set")
    if len(published) > MOST_KEYS:
        raise NoKeySet(f"it gives more than {MOST_KEYS} keys")
    keys: dict[tuple[str, str], PyJWK] = {}
    for one in published:
        key = _fit(one, algorithms)
        if key is not None and key.key_id is not None:
            keys.setdefault((key.key_id, key.algorithm_name), key)
    if not keys:
        raise NoKeySet("it gives no key for the algorithms that are taken")
    return keys


def _fit(key: JsonValue, algorithms: AbstractSet[str]) -> PyJWK | None:
    """Takes a key if it is one to verify with, and says with which algorithm."""
    if not isinstance(key, dict) or "d" in key:  # a private key proves nothing any more
        return None
    key_id, uses = key.get("kid"), key.get("key_ops", ["verify"])
    if not isinstance(key_id, str) or not 0 < len(key_id) <= LONGEST_KEY_ID:
        return None
    if key.get("use", "sig") != "sig" or not isinstance(uses, list) or "verify" not in uses:
        return None
    algorithm = _algorithm(key)
    if algorithm is None or algorithm not in algorithms or key.get("alg", algorithm) != algorithm:
        return None
    try:
        return PyJWK(key, algorithm)
    except (PyJWTError, ValueError, TypeError, KeyError):
        return None  # its numbers make no key


def _algorithm(key: Mapping[str, JsonValue]) -> str | None:
    match key:
        case {"kty": "RSA", "n": str(modulus), "e": str()}:
            bits = _bits(modulus)
            return "RS256" if SHORTEST_RSA <= bits <= LONGEST_RSA else None
        case {"kty": "EC", "crv": "P-256", "x": str(), "y": str()}:
            return "ES256"
        case _:
            return None


def _bits(number: str) -> int:
    try:
        return int.from_bytes(urlsafe_b64decode(number + "=" * (-len(number) % 4))).bit_length()
    except (binascii.Error, ValueError):
        return 0
