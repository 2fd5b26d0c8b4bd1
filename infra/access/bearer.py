"""What stands behind `Authorization: Bearer`: an API key, or a token of an issuer that is known.

Which of the two it is, its form alone decides: a token never gets as far as the table of keys, and
a key never as far as what checks tokens.
"""

import binascii
import re
from base64 import urlsafe_b64decode
from collections.abc import Mapping

from pydantic import JsonValue
from pydantic_core import from_json

from infra.access.authenticator import Authenticator
from infra.access.principal import Principal

LONGEST_TOKEN = 8192  # characters; more is not even taken apart

_THREE_PARTS = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]*)\.[A-Za-z0-9_-]*")


class BearerAuthenticator:
    """Hands credentials to the one who can tell whose they are."""

    def __init__(self, api_keys: Authenticator, issuers: Mapping[str, Authenticator]) -> None:
        """Keeps those who can.

        Args:
            api_keys: knows who holds a key.
            issuers: who checks the tokens of which issuer, by the `iss` that they bear.
        """
        self._api_keys = api_keys
        self._issuers = issuers

    async def authenticate(self, credentials: str) -> Principal | None:
        """Finds out whom credentials speak for.

        Args:
            credentials: as the client sent them.

        Returns:
            Whom; None if they are nobody's, or no longer.

        Raises:
            NotAdmitted: the caller is known, but may not come in.
            Unavailable: it cannot be found out just now.
        """
        if len(credentials) > LONGEST_TOKEN:
            return None
        claims = _claims_of_token(credentials)
        if claims is None:
            return await self._api_keys.authenticate(credentials)
        # Nothing is believed yet: what the token says of its issuer only chooses who is to check
        # it, and that one takes no other issuer's.
        issuer = claims.get("iss")
        checker = self._issuers.get(issuer) if isinstance(issuer, str) else None
        return None if checker is None else await checker.authenticate(credentials)


def _claims_of_token(credentials: str) -> Mapping[str, JsonValue] | None:
    """Reads, unverified, what a JSON Web Token claims; None if it has not the form of one."""
    parts = _THREE_PARTS.fullmatch(credentials)
    if parts is None:
        return None
    header = _json_object(parts[1])
    if header is None or "alg" not in header:
        return None
    return _json_object(parts[2]) or {}


def _json_object(part: str) -> Mapping[str, JsonValue] | None:
    try:
        value: JsonValue = from_json(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (binascii.Error, ValueError):
        return None
    return value if isinstance(value, dict) else None
