"""What is open to all: the only paths that are answered without asking who asks.

The middleware goes by this list, and a test holds the routes against it: one that declares no
permission stands here, and one that declares a permission does not.
"""

from api.public_address import PUBLIC

_PATHS = frozenset({"/livez", "/readyz", "/openapi.json", "/docs", "/problems", "/webhooks/clerk"})
_SOCKET_IO = "/socket.io/"  # asks by itself who asks, and again every few seconds
_FOLDERS = ("/problems/", PUBLIC)


def is_open(path: str) -> bool:
    """Tells whether a path is open to all.

    Args:
        path: of an address, decoded; or a route's template.
    """
    return path in _PATHS or path == _SOCKET_IO or path.startswith(_FOLDERS)
