"""The address that is served, taken before anything slow is loaded or started."""

import socket


class CannotListen(Exception):
    """The address cannot be listened at; the message says why, and what to do."""


def listen(host: str, port: int) -> socket.socket:
    """Take the address, before anything slow is started.

    Args:
        host: a name or address of this machine.
        port: the TCP port; 0 for a free one.

    Returns:
        A socket bound to it, which does not take connections yet.

    Raises:
        CannotListen: the address is taken, not ours, or the port is reserved.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        taken = socket.socket(family, kind, protocol)
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(address)
    except OSError as error:
        raise CannotListen(
            f"HOST, PORT: {host}:{port} cannot be listened at: {error.strerror}. Stop what listens "
            "there, or take another port with --port (0 finds a free one)."
        ) from error
    taken.set_inheritable(True)
    return taken


def address_of(bound: socket.socket) -> str:
    """Give the address under which this machine reaches a socket.

    Args:
        bound: from `listen`.

    Returns:
        Like http://127.0.0.1:8000.
    """
    host, port = bound.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - told apart, not bound
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
