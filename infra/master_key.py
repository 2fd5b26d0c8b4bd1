"""The one secret of an installation: what it wraps, and what is derived from it.

It can be replaced while everything goes on: the key of today wraps, and it and those beside it
open. Each wrapped thing tells which key wrapped it, by a name that tells nothing of the key.
"""

import contextlib
import secrets
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 32
_NAME_BYTES = 8
_NONCE_BYTES = 12


class MasterKeyMissing(Exception):
    """Something was wrapped by a master key that is not at hand; the message says by which."""


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A secret that only the holder of a master key can read (AES-256-GCM, NIST SP 800-38D).

    Attributes:
        blob: nonce and ciphertext.
        wrapped_by: the name of the master key; None where it was wrapped before keys had names.
    """

    blob: bytes
    wrapped_by: str | None


class MasterKey:
    """The master key, and those that may take its place or whose place it took.

    Never used itself: each purpose has a key of its own, which tells of no other (RFC 5869).

    Attributes:
        name: of the key that wraps.
    """

    def __init__(self, secret: bytes, *also: bytes) -> None:
        """Keeps the secrets.

        Args:
            secret: 32 random bytes; what is wrapped from here on, is by them.
            also: others that open what they have wrapped, and no more.

        Raises:
            ValueError: one has another length.
        """
        for each in (secret, *also):
            if len(each) != KEY_BYTES:
                raise ValueError(f"The master key has {len(each)} bytes; it needs {KEY_BYTES}.")
        self._secret = secret
        self._by_name = {_derived(each, "name")[:_NAME_BYTES].hex(): each for each in also}
        self.name = _derived(secret, "name")[:_NAME_BYTES].hex()
        self._by_name[self.name] = secret
        self._wrapping: dict[tuple[str, str], AESGCM] = {}

    @property
    def names(self) -> frozenset[str]:
        """The names of all the keys at hand."""
        return frozenset(self._by_name)

    def derive(self, purpose: str) -> bytes:
        """Gives the 32-byte key for one purpose; the same one as long as the master key stays.

        Args:
            purpose: a name that nothing else uses.
        """
        return _derived(self._secret, purpose)

    def wrap(self, secret: bytes, purpose: str, binding: bytes) -> Wrapped:
        """Wraps a secret.

        Args:
            secret: any bytes.
            purpose: a name that nothing else uses.
            binding: what it belongs to; for anything else it does not open.
        """
        nonce = secrets.token_bytes(_NONCE_BYTES)
        cipher = self._cipher(self.name, purpose)
        return Wrapped(nonce + cipher.encrypt(nonce, secret, binding), self.name)

    def unwrap(self, wrapped: Wrapped, purpose: str, binding: bytes) -> bytes:
        """Opens a secret that was wrapped.

        Args:
            wrapped: it.
            purpose: what it was wrapped for.
            binding: what it belongs to.

        Raises:
            MasterKeyMissing: none of the keys at hand has wrapped it, for this.
        """
        names = [wrapped.wrapped_by] if wrapped.wrapped_by is not None else sorted(self._by_name)
        nonce, ciphertext = wrapped.blob[:_NONCE_BYTES], wrapped.blob[_NONCE_BYTES:]
        for name in names:
            if name in self._by_name:
                with contextlib.suppress(InvalidTag):
                    return self._cipher(name, purpose).decrypt(nonce, ciphertext, binding)
        raise MasterKeyMissing(
            f"No master key at hand opens what was wrapped by {wrapped.wrapped_by or 'one'}; there "
            f"are {', '.join(sorted(self._by_name))}. Set BOOKING_MASTER_KEYS_ALSO to the one "
            "that is missing."
        )

    def _cipher(self, name: str, purpose: str) -> AESGCM:
        cipher = self._wrapping.get((name, purpose))
        if cipher is None:
            cipher = AESGCM(_derived(self._by_name[name], purpose))
            self._wrapping[name, purpose] = cipher
        return cipher


def _derived(secret: bytes, purpose: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=purpose.encode()).derive(
        secret
    )
