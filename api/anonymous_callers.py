"""Bounds those who read without a key, so that they take nothing from those who book.

They have buckets and places of their own in each process: the limits of the tenant, which its keys
share, are not theirs to use up. With a CDN in front, few of them come here at all.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import IPv6Address, ip_address, ip_network

from api.admission import Admission
from domain.ids import TenantId
from infra.limits import TENANT, Bucket, Limits, Taken
from infra.limits.local_buckets import LocalBuckets

PLACES = 8
"""Of these, one tenant's readers have six at most."""

_LIMITS = Limits((Bucket(TENANT, 100.0, 500), Bucket("address", 20.0, 100)))
_IPV6_NETWORK = 64  # what one household or office has; it may use any address of it


class AnonymousCallers:
    """The buckets and places of those who show no key."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Begin with full buckets and free places.

        Args:
            clock: seconds that never go backwards.
        """
        self._clock = clock
        self._buckets = LocalBuckets()
        self._places = Admission(PLACES)

    def take(self, tenant_id: TenantId, address: str | None) -> Taken:
        """Count a request, if it may be let in.

        Args:
            tenant_id: whose page is asked for.
            address: of whoever asks, or of the proxy that asks for them; kept in memory alone.

        Returns:
            What is left, or how long to wait.
        """
        return self._buckets.take(_LIMITS, [tenant_id, _network(address)], self._clock())

    @contextmanager
    def place(self, tenant_id: TenantId) -> Iterator[None]:
        """Have a place.

        Args:
            tenant_id: whose page is asked for.

        Raises:
            TurnedAway: there is none.
        """
        with self._places.place(tenant_id):
            yield


def _network(address: str | None) -> str:
    try:
        parsed = ip_address(address or "")
    except ValueError:
        return ""  # a socket without addresses: all who come through it are one
    if isinstance(parsed, IPv6Address):
        return str(ip_network((parsed, _IPV6_NETWORK), strict=False))
    return str(parsed)
