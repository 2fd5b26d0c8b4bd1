"""Availability that is public: its links, and the CDN that is kept from showing what was."""

from infra.publishing.links import PublicLink, find_link, publish, unpublish
from infra.publishing.tokens import PublicTokens, Published

__all__ = ["PublicLink", "PublicTokens", "Published", "find_link", "publish", "unpublish"]
