"""What messages are signed with, by Standard Webhooks: `whsec_` and base64; sealed when kept.

It is shown once, to whoever makes it. Kept in the database, it is sealed with a secret of the
installation and bound to its place (AES-256-GCM, NIST SP 800-38D).

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import secrets
from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from standardwebhooks import Webhook

from domain.ids import TenantId

SECRET_BYTES = 32
_NONCE_BYTES = 12


@dataclass(frozen=True, slots=True)
class SecretPlace:
    """Where a secret is kept: the only place in which it can be opened."""

    tenant_id: TenantId
    endpoint_id: UUID
    secret_id: UUID

    @property
    def binding(self) -> bytes:
        """The place, as it is bound to it."""
        return self.tenant_id.bytes + self.endpoint_id.bytes + self.secret_id.bytes


class SecretSealing:
    """Seals the secrets of endpoints, and opens them."""

    def __init__(self, key: bytes) -> None:
        """Keeps the key.

        Args:
            key: 32 secret bytes, the same in every process that makes or uses secrets.
        """
        self._cipher = AESGCM(key)

    def seal(self, secret: str, place: SecretPlace) -> bytes:
        """Seals a secret.

        Args:
            secret: as it is shown.
            place: where it will be kept.
        """
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, secret.encode(), place.binding)

    def open(self, sealed: bytes, place: SecretPlace) -> str:
        """Opens a secret.

        Args:
            sealed: as it is kept.
            place: where.

        Raises:
            cryptography.exceptions.InvalidTag: it was sealed for another place, or altered.
        """
        nonce, text = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        return self._cipher.decrypt(nonce, text, place.binding).decode()


@dataclass(frozen=True, slots=True)
class Signing:
    """The secrets of an endpoint that are in force.

    Attributes:
        secrets: as they were shown, the newest first.
    """

    secrets: tuple[str, ...] = field(repr=False)

    def headers(self, message_id: str, body: bytes, now: datetime) -> dict[str, str]:
        """Gives the headers of a signed message.

        Args:
            message_id: the same each time that it is sent.
            body: of the message, byte for byte.
            now: when it is sent this time, in UTC.
        """
        return {
            "webhook-id": message_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(_signatures(self.secrets, message_id, body, now)),
        }


def new_secret() -> str:
    """Makes a secret that nobody else has."""
    return f"whsec_{b64encode(secrets.token_bytes(SECRET_BYTES)).decode()}"


def message_id(tenant_id: TenantId, seq: int) -> str:
    """Names the message that tells of an event, whoever it is sent to and however often.

    Args:
        tenant_id: whose event.
        seq: its position.
    """
    return f"msg_{tenant_id.hex}_{seq}"


def _signatures(of: Iterable[str], message_id: str, body: bytes, now: datetime) -> Iterable[str]:
    text = body.decode()
    return (Webhook(secret).sign(message_id, now, text) for secret in of)
