"""Cursors: where the next page of a list begins, signed so that a client can only hand it back.

A cursor is bound to the tenant, the list and its filters. Read under others it would point to a
place that means nothing there, so it is refused.
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from pydantic import TypeAdapter
from pydantic_core import to_json

from api.problems.problem import FieldError, ProblemError, validation_failed
from domain.ids import TenantId

MAX_CURSOR_LENGTH = 2000
_Place = TypeVar("_Place")
_SIGNATURE_BYTES = 16  # nobody guesses 128 bits


@dataclass(frozen=True, slots=True, kw_only=True)
class CursorScope:
    """The list that a cursor is good for.

    Attributes:
        tenant_id: whose it is.
        of: which it is.
        filters: what it is narrowed to; anything that JSON can tell, ids and times too.
    """

    tenant_id: TenantId
    of: str
    filters: Mapping[str, object]


class Cursors:
    """Makes and reads cursors with one key."""

    def __init__(self, key: bytes) -> None:
        """Keep the key.

        Args:
            key: 32 secret bytes, the same in every process that serves the API.
        """
        self._key = key

    def seal(self, place: object, scope: CursorScope) -> str:
        """Make a cursor.

        Args:
            place: the sort key of the last thing on the page before, as `open` gives it back.
            scope: the list that it is good for.
        """
        payload = to_json(place)
        return _text(self._sign(payload, scope) + payload)

    def open(self, place: TypeAdapter[_Place], cursor: str, scope: CursorScope) -> _Place:
        """Read a cursor.

        Args:
            place: reads the sort key.
            cursor: as the client handed it back.
            scope: the list that is asked for.

        Returns:
            The place that it was made of.

        Raises:
            ProblemError: it was not made here, or for another list (validation-failed).
        """
        try:
            sealed = urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4))
        except ValueError:  # what is not base64 was not made here either
            sealed = b""
        if _text(sealed) != cursor:  # the decoder passes over what is not of its alphabet
            sealed = b""
        signature, payload = sealed[:_SIGNATURE_BYTES], sealed[_SIGNATURE_BYTES:]
        if not hmac.compare_digest(signature, self._sign(payload, scope)):
            raise ProblemError(
                validation_failed(
                    FieldError(
                        pointer="/query/cursor",
                        message="Expected a cursor that this list answered with the same filters",
                    )
                )
            )
        return place.validate_json(payload)

    def _sign(self, payload: bytes, scope: CursorScope) -> bytes:
        filters = sorted(scope.filters.items())
        bound_to = to_json([scope.tenant_id, scope.of, filters, payload.decode("latin-1")])
        return hmac.digest(self._key, bound_to, "sha256")[:_SIGNATURE_BYTES]


def _text(sealed: bytes) -> str:
    return urlsafe_b64encode(sealed).rstrip(b"=").decode()
