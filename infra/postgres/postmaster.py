"""Whether a server runs a cluster, read from the file that it leaves there (postmaster.pid).

A file left by a killed server names a process number that may be somebody else's by now. PostgreSQL
takes that for a running server: in a container, where numbers are small and come again, it would
refuse to start for ever. So here a process counts if it works in the cluster's directory.
"""

import contextlib
import os
import time
from pathlib import Path

from infra.postgres.server_user import EmbeddedPostgresError

_SOCKET_LINE, _STATE_LINE = 4, 7  # counted from 0; see storage-file-layout in PostgreSQL's manual
_POLL_SECONDS = 0.1
_PROCESSES = Path("/proc")


def running_socket(cluster: Path, seconds: float) -> Path | None:
    """Find the server of a cluster and wait until it takes connections.

    It may be on its way up without anybody waiting for it: whoever started it was killed.

    Args:
        cluster: the database's directory.
        seconds: how long to wait.

    Returns:
        The directory of its socket; None if no server runs.

    Raises:
        EmbeddedPostgresError: it runs and is not ready in time.
    """
    deadline = time.monotonic() + seconds
    while is_running(cluster):
        lines = _pid_file(cluster)
        if len(lines) > _STATE_LINE and lines[_STATE_LINE].strip() == "ready":
            return Path(lines[_SOCKET_LINE])
        _wait(deadline, f"The PostgreSQL in {cluster} runs but is not ready after {seconds:.0f} s")
    return None


def is_running(cluster: Path) -> bool:
    """Tell whether a server runs a cluster, ready or not.

    Args:
        cluster: the database's directory.

    Returns:
        Whether it does.
    """
    lines = _pid_file(cluster)
    if not lines:
        return False
    pid = int(lines[0])
    if not _PROCESSES.is_dir():
        return _may_signal(pid)  # macOS
    try:
        return _works_in(cluster, pid)
    except PermissionError:
        return _may_signal(pid)  # the server's user is ours, or we are root: rather believe it


def has_died(cluster: Path) -> bool:
    """Tell whether a server that does not run was killed: one that is stopped tidies up.

    Only for whoever holds the lock on starting the server, and found none running.

    Args:
        cluster: the database's directory.

    Returns:
        Whether it was.
    """
    return bool(_pid_file(cluster))


def clear_away(cluster: Path, socket: Path, seconds: float) -> None:
    """Remove what a killed server left, so that the next one can start.

    Only for whoever holds the lock on starting the server, and found none running.

    Args:
        cluster: the database's directory.
        socket: the directory of its socket, of which nobody else makes use.
        seconds: how long to wait for the killed server's children.

    Raises:
        EmbeddedPostgresError: some of them are still at work.
    """
    if _PROCESSES.is_dir() and _pid_file(cluster):
        # A child that is busy notices late that its server is gone, and two servers' children in
        # one cluster would destroy it. Without the file PostgreSQL would not see them.
        deadline = time.monotonic() + seconds
        while left := _at_work(cluster):
            numbers = ", ".join(map(str, left))
            _wait(deadline, f"Processes of a killed PostgreSQL still work in {cluster}: {numbers}")
        (cluster / "postmaster.pid").unlink(missing_ok=True)
    for file in socket.glob(".s.PGSQL.*"):
        file.unlink()


def _pid_file(cluster: Path) -> list[str]:
    try:
        return (cluster / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return []


def _works_in(cluster: Path, pid: int) -> bool:
    """Tell whether a process has the cluster as its directory, as all of PostgreSQL's have."""
    try:
        return (_PROCESSES / str(pid) / "cwd").readlink() == cluster.resolve()
    except (FileNotFoundError, ProcessLookupError):  # gone, or a zombie
        return False


def _at_work(cluster: Path) -> list[int]:
    found = []
    for entry in _PROCESSES.iterdir():
        # What we may not look into is another user's.
        with contextlib.suppress(PermissionError):
            if entry.name.isdigit() and _works_in(cluster, int(entry.name)):
                found.append(int(entry.name))
    return found


def _may_signal(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _wait(deadline: float, otherwise: str) -> None:
    if time.monotonic() > deadline:
        raise EmbeddedPostgresError(f"{otherwise}. Wait or end it, then try again.")
    time.sleep(_POLL_SECONDS)
