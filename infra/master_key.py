"""The one secret of an installation: it wraps all others, and says of each that it did.

It is used in derived keys alone: each purpose has one of its own, which tells of no other (RFC
5869). While it is replaced there are two of it for a while: what either has wrapped can be opened,
and all that is new is wrapped under the one in force.
"""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 32
ID_BYTES = 8
UNNAMED = b""
"""In place of an id: wrapped before master keys were named."""
_NONCE_BYTES = 12


class MasterKeyMissing(Exception):
    """Something is wrapped under a master key that is not at hand.

    Attributes:
        master_key_id: that key's.
    """

    def __init__(self, master_key_id: bytes) -> None:
        """Name the key."""
        super().__init__(f"The master key {master_key_id.hex()} is not at hand.")
        self.master_key_id = master_key_id


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A secret as it may be stored.

    Attributes:
        master_key_id: of the master key that it is wrapped under.
        wrapped: the secret, sealed with a key derived from that.
    """

    master_key_id: bytes
    wrapped: bytes


class Wrapping:
    """Wraps secrets for one purpose, and opens those that were."""

    def __init__(self, current: bytes, keys: Mapping[bytes, bytes]) -> None:
        """Keeps the keys.

        Args:
            current: the id of the master key that is in force.
            keys: the key for this purpose of each master key that is at hand, by its id.
        """
        self._current = current
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.items()}

    def wrap(self, secret: bytes, bound_to: bytes) -> Wrapped:
        """Wraps a secret under the master key in force (AES-256-GCM, NIST SP 800-38D).

        Args:
            secret: what shall be kept.
            bound_to: the only place in which it can be opened.
        """
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = self._ciphers[self._current].encrypt(nonce, secret, bound_to)
        return Wrapped(self._current, nonce + sealed)

    def unwrap(self, wrapped: Wrapped, bound_to: bytes) -> bytes:
        """Opens a secret with the master key that it names.

        Args:
            wrapped: as it is stored.
            bound_to: where it is stored.

        Raises:
            MasterKeyMissing: that master key is not at hand.
            cryptography.exceptions.InvalidTag: it was altered, or wrapped for another place.
        """
        cipher = self._ciphers.get(wrapped.master_key_id)
        if cipher is None:
            raise MasterKeyMissing(wrapped.master_key_id)
        blob = wrapped.wrapped
        return cipher.decrypt(blob[:_NONCE_BYTES], blob[_NONCE_BYTES:], bound_to)


class MasterKey:
    """The master key in force, and those that can still open what they have wrapped."""

    def __init__(self, secret: bytes, also: Sequence[bytes] = ()) -> None:
        """Keeps the secrets.

        Args:
            secret: of the key in force: 32 random bytes.
            also: of those before it, or of the next one, while not every process has it yet.

        Raises:
            ValueError: one has another length.
        """
        for each in (secret, *also):
            if len(each) != KEY_BYTES:
                raise ValueError(f"The master key has {len(each)} bytes; it needs {KEY_BYTES}.")
        self._secret = secret
        self._by_id = {_derive(each, "master-key-id")[:ID_BYTES]: each for each in (*also, secret)}
        self.id = _derive(secret, "master-key-id")[:ID_BYTES]

    @property
    def ids(self) -> frozenset[bytes]:
        """What the keys at hand are known by; it tells nothing of them."""
        return frozenset(self._by_id)

    def each(self) -> Iterator["MasterKey"]:
        """Gives each key at hand as if it were the one in force, with no other beside it."""
        return map(MasterKey, self._by_id.values())

    def derive(self, purpose: str) -> bytes:
        """Gives the 32-byte key for one purpose of the key in force; the same one every time.

        Args:
            purpose: a name that nothing else uses.
        """
        return _derive(self._secret, purpose)

    def wrapping(self, purpose: str, unnamed: bytes | None = None) -> Wrapping:
        """Gives what wraps and opens secrets for one purpose.

        Args:
            purpose: a name that nothing else uses.
            unnamed: opens what names no master key, if there may be such.
        """
        keys = {key_id: _derive(secret, purpose) for key_id, secret in self._by_id.items()}
        return Wrapping(self.id, keys if unnamed is None else {**keys, UNNAMED: unnamed})


def _derive(secret: bytes, purpose: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=purpose.encode()).derive(
        secret
    )
