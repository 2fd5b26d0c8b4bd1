"""Which addresses an issuer of tokens may have: where nobody on the way can change its keys."""

import ipaddress
from urllib.parse import urlsplit


def is_trustworthy(address: str) -> bool:
    """Tells whether keys that are fetched from an address are those that it was meant to give.

    Args:
        address: an absolute URL.

    Returns:
        Whether it is https, or http that never leaves this machine, for development; without user
        name, query and fragment (OpenID Connect Discovery 1.0, section 3).
    """
    if not (address.isascii() and address.isprintable()) or " " in address or "\\" in address:
        return False
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or parts.query or parts.fragment or "@" in parts.netloc or address[-1] in "?#":
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and _is_this_machine(host))


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
