"""The directory of the embedded PostgreSQL's only door: private, and short enough to be one."""

import contextlib
import hashlib
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from infra.postgres.server_user import EmbeddedPostgresError, ServerUser

PORT = 5432  # without a network it is only a part of the socket's name
LONGEST_SOCKET_PATH = 107  # bytes: sun_path of unix(7), less its terminating zero
_PRIVATE = 0o700


def make_socket_directory(server_directory: Path, user: ServerUser) -> Path:
    """Make the directory of the socket, one that only the server's user (and root) can enter.

    Whoever can reach the socket is let in as anybody, so the directory is what keeps others out.

    Args:
        server_directory: the server's own directory: the socket goes there if its path is not too
            long for one, else under the system's directory for temporary files.
        user: whom the server runs as.

    Returns:
        The directory.

    Raises:
        EmbeddedPostgresError: every path is too long, or somebody else has taken the place.
    """
    for directory in _places(server_directory, user):
        name = str(directory / f".s.PGSQL.{PORT}")
        # A comma parts a list of directories, for PostgreSQL and for libpq alike.
        if len(os.fsencode(name)) > LONGEST_SOCKET_PATH or re.search(r"[,\"'\\]", name):
            continue
        with contextlib.suppress(FileExistsError):
            directory.mkdir(mode=_PRIVATE)
            user.own(directory, _PRIVATE)
        status = directory.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != user.uid or status.st_mode & 0o077:
            raise EmbeddedPostgresError(
                f"{directory} is not a private directory of the user {user.name!r}. Remove it."
            )
        user.open_the_way_to(directory)
        return directory
    raise EmbeddedPostgresError(
        f"No path for a Unix socket is short enough (at most {LONGEST_SOCKET_PATH} bytes). "
        "Set BOOKING_DATA_DIR or TMPDIR to a shorter path."
    )


def _places(server_directory: Path, user: ServerUser) -> Iterator[Path]:
    yield server_directory / "socket"
    place = f"{user.uid}:{server_directory.resolve()}".encode()
    short = f"booking-{hashlib.sha256(place).hexdigest()[:16]}"
    yield Path(tempfile.gettempdir()) / short
    yield Path("/tmp") / short  # noqa: S108 - made private, or refused
