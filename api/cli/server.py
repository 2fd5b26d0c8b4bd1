"""Serves HTTP with uvicorn, in this process or in several, and says so once it can be reached."""

import contextlib
import resource
import socket
import threading
from collections.abc import Callable
from typing import TypedDict

import uvicorn
from uvicorn.supervisors import Multiprocess

from api.cli.bounded_http import BoundedHttp, give_up_on_stalled
from api.cli.tidy_websocket import TidyWebSocket
from api.live.library import MAX_MESSAGE_BYTES
from infra.settings import Settings

APP_FACTORY = "api.bootstrap:create_app"
DRAIN_SECONDS = 30  # for requests under way when the server is told to stop
_KNOCK_SECONDS = 0.05
_OPEN_FILES = 65_536


def serve_http(
    settings: Settings, bound: socket.socket, workers: int, announce: Callable[[], None]
) -> bool:
    """Serve until a signal says stop, then answer what is under way.

    Args:
        settings: what the server's own behaviour depends on; the workers read theirs.
        bound: where it listens.
        workers: how many processes serve; 1 is this one.
        announce: called from another thread, once connections are taken.

    Returns:
        Whether it ever took connections.
    """
    config = uvicorn.Config(
        APP_FACTORY,
        factory=True,
        workers=workers,
        loop="uvloop",
        http=BoundedHttp,
        **socket_bounds(),
        log_config=None,  # the app sets up the log, the same in every worker
        log_level=settings.log_level.lower(),
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
    give_up_on_stalled(bound, settings.client_seconds)
    _take_many_connections()
    ended = threading.Event()
    reached = threading.Event()

    def knock() -> None:
        # A worker listens when its start is complete, and not before.
        while not ended.wait(_KNOCK_SECONDS):
            with contextlib.suppress(OSError), socket.socket(bound.family) as probe:
                probe.connect(bound.getsockname())
                reached.set()
                announce()
                return

    watcher = threading.Thread(target=knock, name="announce")
    watcher.start()
    try:
        if workers == 1:
            uvicorn.Server(config).run(sockets=[bound])
        else:
            _Workers(config, sockets=[bound]).run()
    finally:
        ended.set()
        watcher.join()
        bound.close()
    return reached.is_set()


class SocketBounds(TypedDict):
    """What uvicorn is told of WebSockets."""

    ws: type[TidyWebSocket]
    ws_max_size: int
    ws_ping_interval: None
    ws_per_message_deflate: bool


def socket_bounds() -> SocketBounds:
    """Gives the bounds of WebSockets.

    Socket.IO sends its own pings. Nothing is deflated: that takes more memory than all else of a
    connection.
    """
    return {
        "ws": TidyWebSocket,
        "ws_max_size": MAX_MESSAGE_BYTES,
        "ws_ping_interval": None,
        "ws_per_message_deflate": False,
    }


class _Workers(Multiprocess):
    """Worker processes, and the door that all of them share."""

    def join_all(self) -> None:
        """Waits for them, and does not hold a door open that they have closed."""
        for door in self.sockets:
            door.close()
        super().join_all()


def _take_many_connections() -> None:
    """Raise the limit of open files, often 1,024, as far as the system lets us."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
