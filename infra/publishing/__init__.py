"""Availability that is public: its links, and the CDN that is kept from showing what was."""

from infra.publishing.links import OpenedLink, PublicLink, find_link, open_link, publish, unpublish
from infra.publishing.tokens import PublicTokens, Published

__all__ = [
    "OpenedLink",
    "PublicLink",
    "PublicTokens",
    "Published",
    "find_link",
    "open_link",
    "publish",
    "unpublish",
]
