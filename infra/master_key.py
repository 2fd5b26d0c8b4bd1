"""The one secret of an installation, and the keys derived from it for its several purposes."""

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 32


class MasterKey:
    """Never used itself: each purpose has a key of its own, which tells of no other (RFC 5869)."""

    def __init__(self, secret: bytes) -> None:
        """Keeps the secret.

        Args:
            secret: 32 random bytes.

        Raises:
            ValueError: it has another length.
        """
        if len(secret) != KEY_BYTES:
            raise ValueError(f"The master key has {len(secret)} bytes; it needs {KEY_BYTES}.")
        self._secret = secret

    def derive(self, purpose: str) -> bytes:
        """Gives the 32-byte key for one purpose; the same one every time.

        Args:
            purpose: a name that nothing else uses.
        """
        return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=purpose.encode()).derive(
            self._secret
        )
