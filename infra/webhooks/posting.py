"""One message posted to one address: for as long as was agreed on, and nowhere it must not go.

No proxy of the environment is used and no redirect followed: either could lead anywhere. Of what
is answered, the status and Retry-After count; the body is read so far that the connection can be
used again, and kept nowhere, so that nobody reads through a webhook what he could not fetch.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal

import httpcore
from httpcore import AsyncConnectionPool, AsyncNetworkBackend

from infra.webhooks.reachable import AddressRefused, PublicInternet, resolving_in

CONNECT_SECONDS, TOTAL_SECONDS = 5.0, 15.0
READ_OF_ANSWER = 16 * 1024
"""Bytes; with a longer answer the connection is closed."""
_IDLE_SECONDS = 30.0
RESOLVING_AT_ONCE = 32
"""Names; a thread is lost to each whose name server does not answer, for as long as that lasts."""

_MEDIA_TYPE = "application/cloudevents+json"
_GOOD = range(200, 300)
_SAYS_WHEN = (429, 503)

_OTHER_SIDE = (
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.TimeoutException,
    TimeoutError,
    ValueError,  # a name that can be none: neither a name server nor TLS is asked about it
)

Fault = Literal[
    "status", "timeout", "connect-timeout", "connect-failed", "address-refused", "broken-off"
]


@dataclass(frozen=True, slots=True)
class Posted:
    """What became of one try.

    Attributes:
        status: that was answered; None where nothing was.
        fault: why it failed; None where it did not.
        milliseconds: that it took.
        retry_after: seconds that the other side asks to be left alone for; None where it does not.
    """

    status: int | None
    fault: Fault | None
    milliseconds: int
    retry_after: float | None = None


class Poster:
    """Posts, over connections that are kept for a while."""

    def __init__(
        self, pool: AsyncConnectionPool, *, anywhere: bool, total_seconds: float = TOTAL_SECONDS
    ) -> None:
        """Keeps its parts.

        Args:
            pool: makes the connections.
            anywhere: whether plain http will do.
            total_seconds: for all of one try.
        """
        self._pool = pool
        self._anywhere = anywhere
        self._total_seconds = total_seconds

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Posted:
        """Posts once.

        Args:
            url: where.
            headers: beside those of every request.
            body: JSON.

        Returns:
            What became of it; nothing that the other side does is raised.
        """
        began = time.monotonic()
        status, retry_after = None, None
        fault: Fault | None = None
        try:
            status, retry_after = await self._answered(url, headers, body)
            fault = None if status in _GOOD else "status"
        except _OTHER_SIDE as error:
            fault = _fault_of(error)
        return Posted(status, fault, round((time.monotonic() - began) * 1000), retry_after)

    async def _answered(
        self, url: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, float | None]:
        if not (self._anywhere or url.startswith("https://")):
            raise AddressRefused
        async with (
            asyncio.timeout(self._total_seconds),
            self._pool.stream(
                "POST",
                url,
                headers=[("Content-Type", _MEDIA_TYPE), *headers.items()],
                content=body,
                extensions={"timeout": {"connect": CONNECT_SECONDS}},
            ) as answer,
        ):
            retry_after = None
            if answer.status in _SAYS_WHEN:
                told = {name.lower(): value for name, value in answer.headers}
                retry_after = seconds_in(told.get(b"retry-after", b"").decode("latin-1"))
            read = 0
            async for piece in answer.aiter_stream():
                read += len(piece)
                if read > READ_OF_ANSWER:
                    break
            return answer.status, retry_after


@asynccontextmanager
async def open_poster(*, anywhere: bool, connections: int) -> AsyncIterator[Poster]:
    """Opens what messages are posted with.

    Args:
        anywhere: whether private addresses and plain http will do: for development.
        connections: at once, at most.

    Yields:
        It.
    """
    with ThreadPoolExecutor(RESOLVING_AT_ONCE, thread_name_prefix="webhook names") as threads:
        network: AsyncNetworkBackend = (
            httpcore.AnyIOBackend() if anywhere else PublicInternet(resolving_in(threads))
        )
        async with AsyncConnectionPool(
            max_connections=connections,
            max_keepalive_connections=connections // 2,
            keepalive_expiry=_IDLE_SECONDS,
            network_backend=network,
        ) as pool:
            yield Poster(pool, anywhere=anywhere)


def seconds_in(retry_after: str) -> float | None:
    """Reads a Retry-After (RFC 9110, section 10.2.3).

    Args:
        retry_after: seconds, or a date.

    Returns:
        How many seconds from now; None where it is neither.
    """
    text = retry_after.strip()
    if text.isascii() and text.isdecimal():
        return float(text[:9])
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # no date, or none that there is
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def _fault_of(error: Exception) -> Fault:
    match error:
        case AddressRefused():
            return "address-refused"
        case httpcore.ConnectTimeout():
            return "connect-timeout"
        case httpcore.ConnectError() | ValueError():
            return "connect-failed"
        case httpcore.TimeoutException() | TimeoutError():
            return "timeout"
        case _:
            return "broken-off"
