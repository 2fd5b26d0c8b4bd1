"""What any CDN has to be able to do for us."""

from collections.abc import Sequence
from typing import Protocol

MOST_TAGS = 100
"""In one request, whichever CDN it is: what Cloudflare takes, on every plan."""


class PurgeFailed(Exception):
    """The CDN did not take the purge, or did not say that it had.

    Attributes:
        retry_after: how many seconds it wants to be left alone; None where it did not say so.
    """

    def __init__(self, why: str, retry_after: float | None = None) -> None:
        """State the fact.

        Args:
            why: in words that give nothing away.
            retry_after: seconds.
        """
        super().__init__(why)
        self.retry_after = retry_after


class Purger(Protocol):
    """Has a CDN forget what it keeps under some tags."""

    name: str

    async def purge(self, tags: Sequence[str]) -> None:
        """Purge; once more is as good as once.

        Args:
            tags: at least one, at most MOST_TAGS.

        Raises:
            PurgeFailed: perhaps it was done, perhaps not.
        """
