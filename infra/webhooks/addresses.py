"""Which addresses an endpoint may have, as far as it can be told before anybody connects there."""

import re
from ipaddress import ip_address
from urllib.parse import urlsplit

from infra.webhooks.reachable import is_public

LONGEST_ADDRESS = 2048

_FORM = re.compile(rf"[!#-;=?-\[\]_a-z~]{{1,{LONGEST_ADDRESS}}}")


def fault_in(url: str, *, anywhere: bool) -> str | None:
    """Tells what keeps messages from being sent to an address.

    Args:
        url: it.
        anywhere: whether private addresses and plain http will do.

    Returns:
        What is expected instead; None where it will do. A name may lead to a private address all
        the same: that is looked at whenever a connection is made.
    """
    if not _FORM.fullmatch(url):
        return (
            f"Expected an address of at most {LONGEST_ADDRESS} characters of ASCII, without "
            "spaces, and with all that is no letter or sign of an address percent-encoded"
        )
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
        (host or "").encode("idna")  # as it is asked for: labels have 1 to 63 characters
    except ValueError:
        return "Expected an address such as https://example.com/webhooks"
    if not url.startswith(("https://", "http://") if anywhere else "https://"):
        return "Expected an https address such as https://example.com/webhooks"
    if not host or port == 0 or "@" in parts.netloc or "#" in url:
        return "Expected an address with a host, without user name and fragment"
    if not anywhere and _is_private(host):
        return "Expected an address of the public internet"
    return None


def _is_private(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return not is_public(host)
