"""The operating-system user that the embedded PostgreSQL runs as, and what that user can reach.

PostgreSQL refuses to run as root, since a hole in it would then be a hole in everything. Started by
root, it is run as somebody else, who needs no more than to walk to its own files: directories on
the way that nobody else may enter get the permission to be walked through, and nothing more.
"""

import os
import pwd
import stat
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

_log = structlog.get_logger(__name__)

UNPRIVILEGED_USERS = ("postgres", "nobody")
"""Whom root lends to PostgreSQL, the first that exists: no user is ever made for it."""


class EmbeddedPostgresError(Exception):
    """The embedded PostgreSQL cannot be used; the message says why, and what to do."""


@dataclass(frozen=True)
class ServerUser:
    """Whom the server's programs run as.

    Attributes:
        name: the login name, for messages.
        uid: the user id.
        gid: the primary group's id.
        switch: whether this process is root and must become that user for each program.
    """

    name: str
    uid: int
    gid: int
    switch: bool

    def run(
        self,
        command: Sequence[str | Path],
        *,
        cwd: Path,
        seconds: float,
        keep_open: Sequence[int] = (),
    ) -> subprocess.CompletedProcess[str]:
        """Run one of PostgreSQL's programs to its end, as this user.

        It gets a session of its own, so that Ctrl-C in a terminal reaches only the application,
        which drains first; and none of our PG* variables, which would change what it does.

        Args:
            command: program and arguments.
            cwd: a directory that the user can enter.
            seconds: how long it may take.
            keep_open: file descriptors handed on, so that their locks last as long as it runs.

        Returns:
            Its exit status and what it said.

        Raises:
            subprocess.TimeoutExpired: it took longer.
            OSError: it could not be started.
        """
        inherited = {
            n: os.environ[n] for n in ("PATH", "LD_LIBRARY_PATH", "TMPDIR") if n in os.environ
        }
        return subprocess.run(  # noqa: S603 - the programs of one configured directory, no shell
            [str(part) for part in command],
            cwd=cwd,
            env={**inherited, "LC_ALL": "C", "TZ": "UTC"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
            start_new_session=True,
            pass_fds=keep_open,
            user=self.uid if self.switch else None,
            group=self.gid if self.switch else None,
            extra_groups=[] if self.switch else None,
        )

    def own(self, path: Path, mode: int) -> None:
        """Make the user the owner of a file or directory of ours, with exactly this mode."""
        if self.switch:
            os.chown(path, self.uid, self.gid)
        path.chmod(mode)

    def _may_enter(self, status: os.stat_result) -> bool:
        if status.st_uid == self.uid:
            return bool(status.st_mode & stat.S_IXUSR)
        if status.st_gid == self.gid:
            return bool(status.st_mode & stat.S_IXGRP)
        return bool(status.st_mode & stat.S_IXOTH)

    def open_the_way_to(self, path: Path) -> None:
        """See to it that the user can walk to a path.

        Args:
            path: what the user has to get at; itself left as it is.

        Raises:
            EmbeddedPostgresError: a directory on the way is closed and cannot be opened.
        """
        if not self.switch:
            return
        for ancestor in reversed(path.resolve().parents):
            if not ancestor.exists():
                return  # whoever uses the path says so, and better
            status = ancestor.stat()
            if self._may_enter(status):
                continue
            # The others' bit says nothing to a member of the directory's group.
            enter = stat.S_IXGRP if status.st_gid == self.gid else stat.S_IXOTH
            try:
                ancestor.chmod(stat.S_IMODE(status.st_mode) | enter)
            except OSError as error:
                raise EmbeddedPostgresError(
                    f"PostgreSQL has to run as the user {self.name!r}, who may not enter "
                    f"{ancestor}: {error.strerror}. Run `chmod o+x {ancestor}`, or put the project "
                    "and BOOKING_DATA_DIR where every user can enter, or set DATABASE_URL."
                ) from error
            _log.warning(
                "directory opened for passing through",
                directory=str(ancestor),
                user=self.name,
                reason="PostgreSQL cannot run as root and has to reach its files",
            )


def server_user(cluster: Path) -> ServerUser:
    """Choose whom the server runs as.

    Args:
        cluster: the database's directory; if it exists, its owner is the answer.

    Returns:
        This process's own user, or for root an unprivileged one.

    Raises:
        EmbeddedPostgresError: there is nobody suitable.
    """
    owner = _owner(cluster)
    me = os.geteuid()
    if me != 0:
        if owner is not None and owner != me:
            raise EmbeddedPostgresError(
                f"The database in {cluster} belongs to the user {_name(owner)!r}, and this runs as "
                f"{_name(me)!r}. Run it as {_name(owner)!r} or as root, or set BOOKING_DATA_DIR to "
                "a directory of your own."
            )
        return ServerUser(_name(me), me, os.getegid(), switch=False)
    if owner == 0:
        raise EmbeddedPostgresError(
            f"{cluster} belongs to root, as whom PostgreSQL refuses to run. Run "
            f"`chown -R {UNPRIVILEGED_USERS[0]} {cluster}` if it holds a database, else remove it."
        )
    try:
        if owner is not None:
            return _switched(pwd.getpwuid(owner))
        return _switched(_first_existing())
    except KeyError as missing:
        raise EmbeddedPostgresError(
            f"PostgreSQL refuses to run as root, and there is no user to run it as ({missing}). "
            "Run `useradd --system postgres`, or start this as a user other than root."
        ) from missing


def _owner(cluster: Path) -> int | None:
    try:
        return cluster.stat().st_uid
    except FileNotFoundError:
        return None
    except PermissionError:
        # Another user's private directory on the way: the owner of that one is the one to name.
        closed = next(parent for parent in cluster.parents if os.access(parent.parent, os.X_OK))
        return closed.stat().st_uid


def _first_existing() -> pwd.struct_passwd:
    for name in UNPRIVILEGED_USERS:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise KeyError(" or ".join(UNPRIVILEGED_USERS))


def _switched(entry: pwd.struct_passwd) -> ServerUser:
    return ServerUser(entry.pw_name, entry.pw_uid, entry.pw_gid, switch=True)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
