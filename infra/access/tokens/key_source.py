"""Where an issuer's keys are fetched from, and how: for as long and as much as was agreed on."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager

from httpx import AsyncClient, HTTPError, InvalidURL, Timeout, codes

from infra.access.tokens.jwks import Keys, NoKeySet, read_key_set
from infra.access.tokens.plain_object import read_object
from infra.issuer_address import is_trustworthy

CONNECT_SECONDS, TOTAL_SECONDS = 2.0, 5.0
LARGEST_ANSWER = 64 * 1024  # bytes

_PASSING = frozenset(
    {
        codes.INTERNAL_SERVER_ERROR,
        codes.BAD_GATEWAY,
        codes.SERVICE_UNAVAILABLE,
        codes.GATEWAY_TIMEOUT,
    }
)
_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity"}

FetchKeys = Callable[[], Awaitable[Keys]]


class KeysNotFetched(Exception):
    """The issuer did not give its keys; the message says why."""


class IssuerFaltered(KeysNotFetched):
    """The same, but it may give them when it is asked again."""


def open_client() -> AsyncClient:
    """Opens what issuers are asked with. No redirect is followed: it could lead anywhere."""
    timeout = Timeout(TOTAL_SECONDS, connect=CONNECT_SECONDS)
    return AsyncClient(timeout=timeout, follow_redirects=False, headers=_HEADERS)


def published_at(client: AsyncClient, address: str, algorithms: AbstractSet[str]) -> FetchKeys:
    """Gives a way to fetch keys from an address that is known.

    Args:
        client: asks.
        address: of the key set.
        algorithms: of which keys are wanted.

    Returns:
        It; raises KeysNotFetched.
    """

    async def fetch() -> Keys:
        async with _in_time():
            return _keys(await _get(client, address), algorithms)

    return fetch


def discovered(client: AsyncClient, issuer: str, algorithms: AbstractSet[str]) -> FetchKeys:
    """Gives a way to fetch keys from wherever the issuer says that they are, each time anew.

    OpenID Connect Discovery 1.0, section 4.

    Args:
        client: asks.
        issuer: it, to the letter: a document that names another one is not believed.
        algorithms: of which keys are wanted.

    Returns:
        It; raises KeysNotFetched.
    """
    well_known = f"{issuer.removesuffix('/')}/.well-known/openid-configuration"

    async def fetch() -> Keys:
        async with _in_time():
            address = _address_in(await _get(client, well_known), issuer)
            return _keys(await _get(client, address), algorithms)

    return fetch


def _address_in(document: bytes, issuer: str) -> str:
    try:
        found = read_object(document)
    except ValueError as error:
        raise KeysNotFetched("its configuration is no JSON object") from error
    if found.get("issuer") != issuer:
        raise KeysNotFetched("its configuration is that of another issuer")
    address = found.get("jwks_uri")
    if not isinstance(address, str) or not is_trustworthy(address):
        raise KeysNotFetched("its configuration has no address of keys that could be trusted")
    # Plain http is for an issuer on this machine; no other may have us ask around on it.
    if issuer.startswith("https:") and not address.startswith("https:"):
        raise KeysNotFetched("its configuration leads to an address that could not be trusted")
    return address


async def _get(client: AsyncClient, address: str) -> bytes:
    try:
        async with client.stream("GET", address) as answer:
            if answer.status_code in _PASSING:
                raise IssuerFaltered(f"it answers {answer.status_code}")
            if answer.status_code != codes.OK:
                raise KeysNotFetched(f"it answers {answer.status_code}")
            if answer.headers.get("content-encoding", "identity") != "identity":
                raise KeysNotFetched("it answers in an encoding that was not asked for")
            taken = bytearray()
            async for piece in answer.aiter_raw():
                taken += piece
                if len(taken) > LARGEST_ANSWER:
                    raise KeysNotFetched(f"it answers more than {LARGEST_ANSWER} bytes")
            return bytes(taken)
    except HTTPError as error:
        raise IssuerFaltered(f"it does not answer: {type(error).__name__}") from error
    except InvalidURL as error:
        raise KeysNotFetched("its configuration leads to no address") from error


def _keys(document: bytes, algorithms: AbstractSet[str]) -> Keys:
    try:
        return read_key_set(document, algorithms)
    except NoKeySet as error:
        raise KeysNotFetched(str(error)) from error


@asynccontextmanager
async def _in_time() -> AsyncIterator[None]:
    """Bounds all of it together, also where bytes keep trickling in."""
    try:
        async with asyncio.timeout(TOTAL_SECONDS):
            yield
    except TimeoutError as error:
        raise KeysNotFetched(f"it takes more than {TOTAL_SECONDS:g} s") from error
