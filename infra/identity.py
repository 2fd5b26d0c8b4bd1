"""Ids made here: UUID version 7 (RFC 9562), which sort by the time of their making."""

from uuid import UUID

from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """Makes an id that nobody else has."""
    return uuid7()
