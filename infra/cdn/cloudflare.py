"""Cloudflare: purges by tag through its API, with a token that may do nothing else.

https://developers.cloudflare.com/cache/how-to/purge-cache/purge-by-tags/
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Self

from httpx import AsyncClient, HTTPError, Response, Timeout, codes
from pydantic_core import from_json

from infra.cdn.purger import PurgeFailed

CONNECT_SECONDS, TOTAL_SECONDS = 3.0, 8.0
LARGEST_ANSWER = 64 * 1024  # bytes
LONGEST_RETRY_AFTER = 3600.0


class Cloudflare:
    """The cache of one zone."""

    name = "Cloudflare"

    def __init__(self, client: AsyncClient, zone_id: str) -> None:
        """Keep its parts.

        Args:
            client: bears the token, and knows the API's address.
            zone_id: whose cache.
        """
        self._client = client
        self._path = f"/zones/{zone_id}/purge_cache"

    @classmethod
    @asynccontextmanager
    async def reached(cls, endpoint: str, zone_id: str, token: str) -> AsyncIterator[Self]:
        """Have its API at hand.

        Args:
            endpoint: where the API is.
            zone_id: whose cache.
            token: with the permission Cache Purge for that zone.

        Yields:
            What purges; its connections are closed in the end.
        """
        async with AsyncClient(
            base_url=endpoint,
            headers={"Authorization": f"Bearer {token}", "Accept-Encoding": "identity"},
            timeout=Timeout(TOTAL_SECONDS, connect=CONNECT_SECONDS),
            follow_redirects=False,  # the token is for this address alone
        ) as client:
            yield cls(client, zone_id)

    async def purge(self, tags: Sequence[str]) -> None:
        """Purge, as `Purger` says.

        Args:
            tags: at most 100.

        Raises:
            PurgeFailed: perhaps it was done, perhaps not.
        """
        try:
            async with (
                asyncio.timeout(TOTAL_SECONDS),  # also where bytes keep trickling in
                self._client.stream("POST", self._path, json={"tags": [*tags]}) as answer,
            ):
                if answer.status_code != codes.OK:
                    raise PurgeFailed(f"it answers {answer.status_code}", _retry_after(answer))
                if not _says_success(await _body(answer)):
                    raise PurgeFailed("it does not say that it succeeded")
        except TimeoutError as error:
            raise PurgeFailed(f"it takes more than {TOTAL_SECONDS:g} s") from error
        except HTTPError as error:
            raise PurgeFailed(f"it does not answer: {type(error).__name__}") from error


def _retry_after(answer: Response) -> float | None:
    said: str = answer.headers.get("retry-after", "")
    return min(float(said), LONGEST_RETRY_AFTER) if said.isdecimal() else None


async def _body(answer: Response) -> bytes:
    taken = bytearray()
    async for piece in answer.aiter_raw():
        taken += piece
        if len(taken) > LARGEST_ANSWER:
            raise PurgeFailed(f"it answers more than {LARGEST_ANSWER} bytes")
    return bytes(taken)


def _says_success(body: bytes) -> bool:
    try:
        said = from_json(body)
    except ValueError:
        return False
    return isinstance(said, dict) and said.get("success") is True
