"""A proxy before PostgreSQL that tells a client another process id than the server's.

So does every proxy that pools connections: its client may get another one each time.
"""

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from psycopg.conninfo import conninfo_to_dict, make_conninfo

_KEY_DATA = re.compile(rb"(K\x00\x00\x00.)....", re.DOTALL)
"""BackendKeyData: its type, its length, the process id, and a secret."""


@contextmanager
def pooling_proxy(dsn: str) -> Iterator[str]:
    """Stands before the server for one connection; gives its own connection string."""
    upstream = conninfo_to_dict(dsn)
    with socket.create_server(("127.0.0.1", 0)) as door:
        forwarding = threading.Thread(
            target=_forward, args=(door, f"{upstream['host']}/.s.PGSQL.{upstream['port']}")
        )
        forwarding.start()
        plain = {"sslmode": "disable", "gssencmode": "disable"}
        yield make_conninfo(dsn, host="127.0.0.1", port=door.getsockname()[1], **plain)
        forwarding.join()


def _forward(door: socket.socket, path: str) -> None:
    client, _ = door.accept()
    with client, socket.socket(socket.AF_UNIX) as server:
        server.connect(path)
        asking = threading.Thread(target=_pump, args=(client, server, bytes))
        asking.start()
        _pump(server, client, lambda data: _KEY_DATA.sub(_another_id, data))
        asking.join()


def _another_id(told: re.Match[bytes]) -> bytes:
    return told[1] + bytes(4)


def _pump(source: socket.socket, sink: socket.socket, change: Callable[[bytes], bytes]) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            sink.sendall(change(data))
        sink.shutdown(socket.SHUT_WR)
