"""Signed checkpoints as text: notes that anybody can keep, send and check.

A checkpoint says where a tenant's log ended at some time. Its text is three lines:

    booking-log/v1/01981d2a-7c00-7a3e-8f10-5b1c6e2d9d04     the log: its format and its tenant
    2543                                                    the position of its last event
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=            the hash of that event, in base64

It is signed as a note (C2SP signed-note, c2sp.org/signed-note): an empty line, then a line for
each signature, `— NAME BASE64`. NAME is the first line again; in base64 stand the key's id (4
bytes) and the Ed25519 signature (RFC 8032) of the text. The id is how sha256(NAME ‖ 0x0A ‖ 0x01 ‖
public key) begins. So the first line tells these texts from all else that a key may ever sign, and
one log from another.

The lines are those of a transparency log's checkpoint (c2sp.org/tlog-checkpoint), but the hash is
the end of a chain and no root of a Merkle tree: that one checkpoint continues another is seen by
following the events between them.
"""

import re
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from domain.ids import TenantId

MAX_NOTE_BYTES = 16_384
MAX_SIGNATURES = 16

_ORIGIN = "booking-log/v1/"
_ED25519 = b"\x01"  # the note format's own number for such signatures
_KEY_ID_BYTES, _SIGNATURE_BYTES, KEY_BYTES = 4, 64, 32
_NOTE = re.compile(
    r"(?P<text>booking-log/v1/(?P<tenant>[0-9a-f-]{36})\n(?P<seq>[1-9][0-9]{0,18})\n(?P<hash>[A-Za-z0-9+/]{43}=)\n)"
    r"\n(?P<signatures>(?:\u2014 [^\s+]+ [A-Za-z0-9+/=]+\n)+)"
)


class WrongNote(Exception):
    """A text is no signed checkpoint; the message says why."""


class WrongKey(Exception):
    """A text is no public key; the message says why."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where a log ended at some time.

    Attributes:
        tenant_id: whose log.
        seq: the position of its last event.
        hash: of that event.
    """

    tenant_id: TenantId
    seq: int
    hash: bytes

    @property
    def origin(self) -> str:
        """The log's name, which is the key's name as well."""
        return f"{_ORIGIN}{self.tenant_id}"

    @property
    def text(self) -> str:
        """What is signed."""
        return f"{self.origin}\n{self.seq}\n{b64encode(self.hash).decode()}\n"


@dataclass(frozen=True, slots=True)
class Signature:
    """Somebody's signature of a checkpoint, for whoever knows the key."""

    name: str
    key_id: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class PublicKey:
    """What signatures are checked with: 32 bytes (RFC 8032)."""

    raw: bytes

    @classmethod
    def read(cls, text: str) -> "PublicKey":
        """Reads a key.

        Args:
            text: as `verifier_text` gives it, or the 32 bytes alone in base64 or hexadecimal.

        Raises:
            WrongKey: it is none of these.
        """
        bare = text.strip()
        if bare.startswith(_ORIGIN):
            return cls._of_verifier(bare)
        if re.fullmatch(r"[0-9A-Fa-f]{64}", bare):
            return cls(bytes.fromhex(bare))
        return cls(_from_base64(bare, KEY_BYTES, WrongKey("A public key has 32 bytes.")))

    @classmethod
    def _of_verifier(cls, text: str) -> "PublicKey":
        wrong = WrongKey("A public key is damaged: copy it whole.")
        name, _, rest = text.partition("+")
        key_id, _, encoded = rest.partition("+")
        typed = _from_base64(encoded, 1 + KEY_BYTES, wrong)
        key = cls(typed[1:])
        if typed[:1] != _ED25519 or key.id_for(name).hex() != key_id:
            raise wrong
        return key

    def id_for(self, origin: str) -> bytes:
        """Gives the id that the key has as a log's."""
        return sha256(origin.encode() + b"\n" + _ED25519 + self.raw).digest()[:_KEY_ID_BYTES]

    def verifier_text(self, origin: str) -> str:
        """Gives the key as programs that check notes take it."""
        encoded = b64encode(_ED25519 + self.raw).decode()
        return f"{origin}+{self.id_for(origin).hex()}+{encoded}"

    def has_signed(self, checkpoint: Checkpoint, signature: bytes) -> bool:
        """Tells whether a signature is this key's, of this checkpoint."""
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, checkpoint.text.encode())
        except (InvalidSignature, ValueError):  # or the key is no point of the curve
            return False
        return True


class SigningKey:
    """What signs checkpoints. Two signatures of one checkpoint are the same (RFC 8032)."""

    def __init__(self, secret: bytes) -> None:
        """Keeps the key.

        Args:
            secret: 32 random bytes.
        """
        self._key = Ed25519PrivateKey.from_private_bytes(secret)
        self.public = PublicKey(self._key.public_key().public_bytes_raw())

    def sign(self, checkpoint: Checkpoint) -> Signature:
        """Signs a checkpoint."""
        origin = checkpoint.origin
        signature = self._key.sign(checkpoint.text.encode())
        return Signature(origin, self.public.id_for(origin), signature)


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A checkpoint and who has signed it."""

    checkpoint: Checkpoint
    signatures: tuple[Signature, ...]

    @property
    def note(self) -> str:
        """The text that is kept and sent."""
        lines = [
            f"\u2014 {each.name} {b64encode(each.key_id + each.signature).decode()}\n"
            for each in self.signatures
        ]
        return "".join([self.checkpoint.text, "\n", *lines])

    @classmethod
    def read(cls, note: str) -> "SignedCheckpoint":
        """Reads a note; whether its signatures are good is asked afterwards.

        Args:
            note: the text, whole.

        Raises:
            WrongNote: it is not one of ours.
        """
        found = _NOTE.fullmatch(note) if len(note) <= MAX_NOTE_BYTES else None
        if found is None:
            raise WrongNote("This is no signed checkpoint of a booking log: copy it whole.")
        damaged = WrongNote("This signed checkpoint is damaged: copy it whole.")
        try:
            tenant_id = TenantId(UUID(found["tenant"]))
        except ValueError as error:
            raise damaged from error
        checkpoint = Checkpoint(
            tenant_id, int(found["seq"]), _from_base64(found["hash"], 32, damaged)
        )
        lines = found["signatures"].splitlines()
        if checkpoint.text != found["text"] or len(lines) > MAX_SIGNATURES:
            raise damaged
        return cls(checkpoint, tuple(_signature(line, damaged) for line in lines))


def _signature(line: str, damaged: WrongNote) -> Signature:
    _, name, encoded = line.split(" ")
    try:
        blob = b64decode(encoded, validate=True)
    except NotBase64 as error:
        raise damaged from error
    if b64encode(blob).decode() != encoded or len(blob) <= _KEY_ID_BYTES:
        raise damaged
    return Signature(name, blob[:_KEY_ID_BYTES], blob[_KEY_ID_BYTES:])


def _from_base64(text: str, length: int, wrong: Exception) -> bytes:
    plain = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        decoded = b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except NotBase64 as error:
        raise wrong from error
    if len(decoded) != length:
        raise wrong
    return decoded
