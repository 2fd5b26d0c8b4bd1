"""The fingerprint of a request: whether a key that came before came with the same request.

It is keyed, since it is stored beside the log: nobody who reads a receipt can try out what a
customer's name might have been.
"""

import hmac
import json

from pydantic import JsonValue


class Fingerprints:
    """Takes fingerprints with one key."""

    def __init__(self, key: bytes) -> None:
        """Keep the key.

        Args:
            key: 32 secret bytes, the same in every process that serves the API.
        """
        self._key = key

    def of(
        self, *, method: str, path: str, query: str, if_match: str | None, body: JsonValue
    ) -> str:
        """Take the fingerprint of a request, by HMAC-SHA256 (RFC 2104).

        Args:
            method: of the request.
            path: its path.
            query: its query, without the question mark.
            if_match: its condition, as it was sent.
            body: what its JSON says; order of names and white space make no difference.

        Returns:
            64 hexadecimal digits.
        """
        request = json.dumps(
            [method, path, query, if_match, body], sort_keys=True, separators=(",", ":")
        )
        return hmac.digest(self._key, request.encode(), "sha256").hex()
