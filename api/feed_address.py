"""The address of a calendar feed, in which the key stands: calendar programs can send no header."""

BEFORE, AFTER = "/v1/calendar-feeds/", ".ics"
"""What stands around the key."""


def address_with(key: str) -> str:
    """Gives the path of a feed.

    Args:
        key: that opens it, or what stands for one.
    """
    return f"{BEFORE}{key}{AFTER}"


def key_in(path: str) -> str | None:
    """Gives the key that a path shows.

    Args:
        path: of an address, decoded.

    Returns:
        The key; None where the path is not a feed's.
    """
    return path.removeprefix(BEFORE).removesuffix(AFTER) if path.startswith(BEFORE) else None
