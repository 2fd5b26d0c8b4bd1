"""Which addresses of the network a webhook may be sent to: those of the public internet alone.

Whoever may make an endpoint names its host, and the sender stands inside a network that he does
not. So a name's address is looked at where the connection is made, and that very address is
connected to: what a name server says the next time (DNS rebinding) finds nobody who asks.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import Executor
from functools import partial
from ipaddress import IPv6Address, ip_address, ip_network

from httpcore import (
    SOCKET_OPTION,
    AnyIOBackend,
    AsyncNetworkBackend,
    AsyncNetworkStream,
    ConnectError,
    ConnectTimeout,
)

_NOWHERE = tuple(map(ip_network, ("192.0.0.0/24", "192.88.99.0/24", "3fff::/20")))
"""What Python 3.11 takes for global all the same: IETF protocols and some clouds' metadata
(RFC 6890), the relays of 6to4 (RFC 7526), and documentation (RFC 9637)."""

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Gives the addresses of a host, for a port."""


class AddressRefused(ConnectError):
    """The host is nothing that is reached over the public internet."""


def is_public(text: str) -> bool:
    """Tells whether an address is one of the public internet.

    Args:
        text: an IPv4 or IPv6 address.

    Returns:
        Whether it is global unicast. What leads on to an IPv4 address, through a tunnel or a
        translator, is not: nobody can see from here where that is.
    """
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and (
        address.ipv4_mapped or address.sixtofour or address.teredo or address.is_site_local
    ):
        return False
    if any(address in network for network in _NOWHERE):
        return False
    # Translated addresses (64:ff9b::/96, RFC 6052) are reserved, those of one's own not global.
    return address.is_global and not (address.is_multicast or address.is_reserved)


def resolving_in(threads: Executor) -> Resolve:
    """Gives a way to ask the system for the addresses of a host.

    Args:
        threads: in which it is asked; others are not kept from asking by a name that takes long.

    Returns:
        It; raises OSError where there is no such host, or nobody could say.
    """

    async def resolve(host: str, port: int) -> list[str]:
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(
            threads, partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        )
        return list(dict.fromkeys(str(each[4][0]) for each in found))

    return resolve


class PublicInternet(AsyncNetworkBackend):
    """Connects to hosts of the public internet, and to no other."""

    def __init__(self, resolve: Resolve, dial: AsyncNetworkBackend | None = None) -> None:
        """Keeps its parts.

        Args:
            resolve: finds the addresses of a host.
            dial: connects to an address; the system's network, if it is not given.
        """
        self._dial = dial or AnyIOBackend()
        self._resolve = resolve

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - as httpcore calls it
        local_address: str | None = None,
        socket_options: Iterable[SOCKET_OPTION] | None = None,
    ) -> AsyncNetworkStream:
        """Connects to the first address of a host that answers, if all of them are public.

        Args:
            host: a name, or an address.
            port: where.
            timeout: in seconds, for all of it.
            local_address: passed on.
            socket_options: passed on.

        Raises:
            AddressRefused: the host has an address that is not.
            ConnectError: it has none, or does not answer.
            ConnectTimeout: not in time.
        """
        try:
            async with asyncio.timeout(timeout):
                for address in await self._addresses(host, port):
                    try:
                        return await self._dial.connect_tcp(
                            address, port, None, local_address, socket_options
                        )
                    except ConnectError:
                        continue  # perhaps the next one
        except TimeoutError as error:
            raise ConnectTimeout from error
        raise ConnectError("no address of the host answers")

    async def _addresses(self, host: str, port: int) -> Sequence[str]:
        try:
            addresses = await self._resolve(host, port)
        except OSError as error:
            raise ConnectError("the host has no address") from error
        if not all(map(is_public, addresses)):
            raise AddressRefused("the host is not of the public internet")
        return addresses
