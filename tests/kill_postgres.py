"""`kill -9` of a whole PostgreSQL server."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path


def kill_postgres(cluster: Path) -> None:
    """Kills the postmaster and all of its processes, and waits until they are gone.

    A process that is killed lives on for a moment: whoever looked then would believe that the
    server runs. Who finds it dead may have started another meanwhile, which is not waited for.
    """
    postmaster = int((cluster / "postmaster.pid").read_text().split()[0])
    os.kill(postmaster, signal.SIGKILL)  # first, since it would start others
    killed = postgres_processes(cluster)
    for pid in killed:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while left := set(killed).intersection(postgres_processes(cluster)):
        assert time.monotonic() < deadline, f"killed, and still there: {left}"
        time.sleep(0.001)


def postgres_processes(cluster: Path) -> list[int]:
    """All that work in the database's directory, as every process of PostgreSQL does."""
    found = []
    for process in Path("/proc").iterdir():
        with suppress(OSError):  # it has ended, or is not for us to look into
            if process.name.isdigit() and (process / "cwd").readlink() == cluster:
                found.append(int(process.name))
    return found
