"""The signatures on webhooks, as Svix makes them for Clerk: HMAC-SHA256, by Standard Webhooks.

A signature counts for five minutes around the sender's time, so that a delivery that was recorded
on its way cannot be sent again later.
"""

import base64
import binascii
import re
from collections.abc import Sequence

from standardwebhooks import Webhook, WebhookVerificationError

PREFIX = "whsec_"
SECRET_BYTES = range(24, 65)  # as Standard Webhooks asks
LONGEST_ID = 255

_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")


class Signatures:
    """Tells what the sender has signed."""

    def __init__(self, secrets: Sequence[str]) -> None:
        """Keeps the secrets.

        Args:
            secrets: `is_secret` each; several while one takes the place of another.
        """
        self._webhooks = [Webhook(secret) for secret in secrets]

    def fits(self, body: bytes, *, delivery_id: str, timestamp: str, signature: str) -> bool:
        """Tells whether the sender has sent this, just now.

        Args:
            body: as it came, byte for byte.
            delivery_id: the header svix-id.
            timestamp: the header svix-timestamp.
            signature: the header svix-signature, which may have several.
        """
        if len(delivery_id) > LONGEST_ID:
            return False
        headers = {
            "webhook-id": delivery_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": signature,
        }
        return any(_is_signed(webhook, body, headers) for webhook in self._webhooks)


def is_secret(text: str) -> bool:
    """Tells whether something has the form of a signing secret: `whsec_` and base64.

    Args:
        text: what may be one.
    """
    encoded = text.removeprefix(PREFIX)
    if not text.startswith(PREFIX) or not _BASE64.fullmatch(encoded):
        return False
    try:
        secret = base64.b64decode(encoded + "=" * (-len(encoded) % 4))
    except binascii.Error:
        return False
    return len(secret) in SECRET_BYTES


def _is_signed(webhook: Webhook, body: bytes, headers: dict[str, str]) -> bool:
    try:
        webhook.verify(body, headers, json_parse=False)
    except WebhookVerificationError:
        return False
    except ValueError:  # a body that is no UTF-8, a signature that is no base64, or has no comma
        return False
    return True
