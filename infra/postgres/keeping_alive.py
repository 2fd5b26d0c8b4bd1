"""Watches over the embedded PostgreSQL and brings it back when it dies, as an init system would.

Whoever uses the server watches, and the first to see it gone starts it; requests meanwhile are
answered 503, and the pools connect anew. A crash of one of its processes is PostgreSQL's own to
mend: this is for the death of the server itself.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from infra.postgres.embedded import EmbeddedPostgres
from infra.postgres.server_user import EmbeddedPostgresError

_log = structlog.get_logger(__name__)

LOOK_SECONDS = 0.2  # between two looks; one reads a file of a few lines
PAUSE_SECONDS = 3.0  # before what could not be started is tried again: the disk may be full


@contextmanager
def kept_alive(server: EmbeddedPostgres) -> Iterator[None]:
    """Start a server again whenever it dies, as long as the context lasts.

    Args:
        server: has been started by this process.
    """
    enough = threading.Event()

    def watch() -> None:
        pause = LOOK_SECONDS
        while not enough.wait(pause):
            pause = LOOK_SECONDS
            try:
                server.revive()
            except (EmbeddedPostgresError, OSError) as error:
                pause = PAUSE_SECONDS
                _log.error(
                    "the embedded PostgreSQL cannot be started",
                    reason=str(error),
                    again_in_seconds=pause,
                )

    watcher = threading.Thread(target=watch, name="embedded-postgres")
    watcher.start()
    try:
        yield
    finally:
        enough.set()
        watcher.join()
