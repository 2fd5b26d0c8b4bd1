"""`kill -9` of a whole PostgreSQL server."""

import os
import signal
from contextlib import suppress
from pathlib import Path


def kill_postgres(cluster: Path) -> None:
    """Kills the postmaster and all of its processes: those that work in its directory."""
    postmaster = int((cluster / "postmaster.pid").read_text().split()[0])
    os.kill(postmaster, signal.SIGKILL)  # first, since it would start others
    for pid in postgres_processes(cluster):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def postgres_processes(cluster: Path) -> list[int]:
    """All that work in the database's directory, as every process of PostgreSQL does."""
    found = []
    for process in Path("/proc").iterdir():
        with suppress(OSError):  # it has ended, or is not for us to look into
            if process.name.isdigit() and (process / "cwd").readlink() == cluster:
                found.append(int(process.name))
    return found
