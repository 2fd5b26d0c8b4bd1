"""Where the tests' servers keep their data: in memory, where there is room for it.

A fresh database is four hundred files. A disk takes a quarter of a second to make them, and memory
next to nothing; nobody wants them back when the machine stops.
"""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

_MEMORY = Path("/dev/shm")  # noqa: S108 - what is made there is private to its user
_ROOM = 4_000_000_000
"""Bytes for a few servers and their journals; many a container has 64 MB."""


def scratch_directory(prefix: str) -> TemporaryDirectory[str]:
    """A directory that is removed in the end.

    Not pytest's own, which is private again with each session: a server's user has to walk through.
    """
    roomy = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free >= _ROOM
    return TemporaryDirectory(prefix=prefix, dir=_MEMORY if roomy else None)
