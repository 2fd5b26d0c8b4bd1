"""The addresses of what is public, in which a token stands: whoever has the link shows no key."""

PUBLIC = "/v1/public/availability/"
"""Before the token."""

PAGE = ".html"
"""Behind it, where the page is wanted and not the data."""


def without_token(path: str) -> str | None:
    """Gives a path such as it may be told again.

    Args:
        path: of an address, decoded.

    Returns:
        The path, but for what stands in the token's place; None where it is not one of these.
    """
    if not path.startswith(PUBLIC):
        return None
    return f"{PUBLIC}***{PAGE if path.endswith(PAGE) else ''}"
