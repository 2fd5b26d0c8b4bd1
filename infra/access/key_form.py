"""What an API key is, and what is kept of it.

Only a key's SHA-256 is stored. A key is 256 random bits, so one round of hashing is enough: there
is nothing to guess that stretching would slow down. Beside it stand the key's first characters, by
which people recognise it.
"""

import hashlib
import secrets

LONGEST_KEY = 512  # characters; more is not even hashed
LONGEST_PREFIX = 11  # `bk_` and 8 characters; 208 of a key's 256 random bits stay untold
SHORTEST_WITH_PREFIX = 16  # of a chosen key that is shorter nothing is shown


def new_api_key() -> str:
    """Invent an API key.

    Returns:
        `bk_` and 43 characters that need no escaping in a header or address: 256 random bits.
    """
    return f"bk_{secrets.token_urlsafe(32)}"


def shown_prefix(key: str) -> str | None:
    """Give as much of a key as may be shown.

    Args:
        key: the key.

    Returns:
        A quarter of it, at most `bk_` and 8 characters; None of a key that is short, since that
        may be one that somebody has thought up.
    """
    if len(key) < SHORTEST_WITH_PREFIX:
        return None
    return key[: min(LONGEST_PREFIX, len(key) // 4)]


def digest_of(key: str) -> bytes:
    """Give what is stored of a key.

    Args:
        key: as a client sends it.
    """
    return hashlib.sha256(key.encode("utf-8", "backslashreplace")).digest()
