"""The tokens in public addresses: signed, so that none can be guessed or made up.

A token names its tenant, since whoever shows it shows nothing else and row-level security has to
know whose rows are meant. Nothing of it is kept: it is made anew from the row of its link.
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from uuid import UUID

from domain.ids import ResourceId, TenantId

_SIGNATURE_BYTES = 16  # nobody guesses 128 bits
_ID_BYTES = 16
_PLACES = (0, _ID_BYTES, 2 * _ID_BYTES)
TOKEN_LENGTH = 86
"""Characters of a token: 64 bytes."""


@dataclass(frozen=True, slots=True)
class Published:
    """What a token names.

    Attributes:
        tenant_id: whose resource.
        resource_id: which.
        link_id: of its links; the one that is in force has another once it was revoked.
    """

    tenant_id: TenantId
    resource_id: ResourceId
    link_id: UUID


class PublicTokens:
    """Makes and reads tokens with one key."""

    def __init__(self, key: bytes) -> None:
        """Keep the key.

        Args:
            key: 32 secret bytes, the same in every process that serves the API.
        """
        self._key = key

    def make(self, published: Published) -> str:
        """Make the token of a link: always the same one.

        Args:
            published: what it names.
        """
        ids = published.tenant_id.bytes + published.resource_id.bytes + published.link_id.bytes
        signature = hmac.digest(self._key, ids, "sha256")[:_SIGNATURE_BYTES]
        return urlsafe_b64encode(ids + signature).rstrip(b"=").decode()

    def read(self, token: str) -> Published | None:
        """Read a token.

        Args:
            token: as anybody may have sent it.

        Returns:
            What it names; None where it was not made here.
        """
        if len(token) != TOKEN_LENGTH or not token.isascii():
            return None
        try:
            named = urlsafe_b64decode(token + "==")
        except ValueError:  # what is not base64 was not made here either
            return None
        # The decoder passes over what is not of its alphabet: there may be less than three ids.
        named = named.ljust(_PLACES[-1] + _ID_BYTES)
        tenant, resource, link = (UUID(bytes=named[place : place + _ID_BYTES]) for place in _PLACES)
        published = Published(TenantId(tenant), ResourceId(resource), link)
        # The whole text, not the signature alone: a cache would keep another spelling apart.
        made = self.make(published)
        return published if hmac.compare_digest(made, token) else None
