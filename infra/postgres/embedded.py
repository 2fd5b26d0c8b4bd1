"""A private PostgreSQL for those who have none: made, started, shared and stopped in a directory.

    directory/
      cluster/      the database itself (PGDATA)
      socket/       its only door, a Unix socket; nothing listens on the network
      server.log    what PostgreSQL says (server.log.1: what it said before)
      starting      locked exclusively by whoever starts or stops the server
      users         locked shared by every process that uses it

Processes share one server. The last one to leave stops it; the locks are the kernel's, so a process
that is killed has left. Whoever comes next finds the server running or lets it recover.
"""

import contextlib
import fcntl
import os
import shlex
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg
import structlog
from psycopg import sql
from psycopg.conninfo import make_conninfo

from infra.postgres.postmaster import clear_away, has_died, is_running, running_socket
from infra.postgres.programs import Programs, wheel_programs
from infra.postgres.server_socket import PORT, make_socket_directory
from infra.postgres.server_user import EmbeddedPostgresError, ServerUser, server_user

_log = structlog.get_logger(__name__)

SUPERUSER = "postgres"
MIGRATOR = "booking_migrator"
RUNTIME = "booking_runtime"
DATABASE = "booking"

START_SECONDS = 300  # recovering from a crash replays up to max_wal_size of changes
STOP_SECONDS = 120  # a fast stop ends with a checkpoint
LOG_BYTES = 10_000_000  # a larger server log is set aside when the server starts
FIRST_WITH_BUILTIN_LOCALE = 17

_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "fsync": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
}
_HAS_ROLE = "SELECT FROM pg_roles WHERE rolname = %s"
# As it was before migrations had a login of their own; its data are found with its name on them.
_OWNER_LOGS_IN = "SELECT FROM pg_roles WHERE rolname = 'booking_owner' AND rolcanlogin"
_OURS = {"cluster", "cluster.new", "socket", "starting", "users", "server.log", "server.log.1"}


class EmbeddedPostgres:
    """One process's use of the private server of a directory; a context manager.

    Blocking: for the start and the end of a process, not for an event loop.
    """

    def __init__(
        self,
        data_dir: Path,
        bin_dir: Path | None = None,
        *,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """Say where; nothing is touched before `start`.

        Args:
            data_dir: the server's own directory, made if it is missing.
            bin_dir: where PostgreSQL's programs are; without it, the wheel's.
            settings: PostgreSQL settings over the usual ones; whoever starts the server sets them.
        """
        self._directory = data_dir.absolute()
        self._cluster = self._directory / "cluster"
        self._bin_dir = bin_dir
        self._settings = {**_SETTINGS, **(settings or {})}
        self._socket: Path | None = None
        self._users: int | None = None

    def start(self) -> None:
        """Join the server of the directory; make, start or recover it first if need be.

        Raises:
            EmbeddedPostgresError: it cannot be had; the message says what to do.
        """
        if self._users is not None:
            return
        user = server_user(self._cluster)
        self._claim_directory(user)
        programs = self._programs(user)
        with self._starting(user) as lock:
            self._users = self._open_lock("users", user)
            fcntl.flock(self._users, fcntl.LOCK_SH)
            try:
                self._ensure_cluster(programs, lock)
                running = running_socket(self._cluster, START_SECONDS)
                if running is not None:
                    self._socket = running
                elif has_died(self._cluster):
                    self._socket = self._start_again(programs)
                else:
                    self._socket = self._start_server(programs)
                self._ensure_database()
            except BaseException:
                self._leave(programs)
                raise

    def stop(self) -> None:
        """Leave the server; the last process to leave stops it.

        Raises:
            EmbeddedPostgresError: it did not stop in time; it is left to its stopping.
        """
        if self._users is None:
            return
        user = server_user(self._cluster)
        with self._starting(user):
            self._leave(self._programs(user))

    def revive(self) -> bool:
        """Start the server again where it has died under those who use it.

        Its socket is where it was, so connection strings stay good.

        Returns:
            Whether it had died, and this call brought it back; another process may be first.

        Raises:
            EmbeddedPostgresError: it cannot be had; the message says why.
        """
        if is_running(self._cluster):
            return False
        user = server_user(self._cluster)
        with self._starting(user):
            # Whoever uses it holds a shared lock, so nobody has stopped it on purpose.
            if self._users is None or is_running(self._cluster):
                return False
            self._start_again(self._programs(user))
            return True

    def __enter__(self) -> Self:
        """Start; see `start`."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop; see `stop`."""
        self.stop()

    def dsn(self, user: str = RUNTIME, *, database: str = DATABASE) -> str:
        """Give the connection string of a role.

        Args:
            user: the role: `SUPERUSER`, `MIGRATOR`, `RUNTIME` or another of the server's.
            database: the database's name.

        Returns:
            A libpq connection string.

        Raises:
            EmbeddedPostgresError: the server has not been started by this object.
        """
        if self._socket is None:
            raise EmbeddedPostgresError("The embedded PostgreSQL has not been started.")
        return make_conninfo(host=str(self._socket), port=PORT, user=user, dbname=database)

    # -- Making it -------------------------------------------------------------------------------

    def _claim_directory(self, user: ServerUser) -> None:
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            strangers = sorted({entry.name for entry in self._directory.iterdir()} - _OURS)
            if strangers:
                raise EmbeddedPostgresError(
                    f"{self._directory} holds other things ({', '.join(strangers[:3])}): the "
                    "embedded PostgreSQL needs one of its own. Set BOOKING_DATA_DIR to another."
                )
            user.own(self._directory, 0o700)
        except OSError as error:
            raise EmbeddedPostgresError(
                f"The directory {self._directory} cannot be used: {error.strerror}. "
                "Set BOOKING_DATA_DIR to a directory that can be written."
            ) from error
        user.open_the_way_to(self._directory)

    def _ensure_cluster(self, programs: Programs, lock: int) -> None:
        version = programs.major_version()
        if self._cluster.exists():
            made_by = (self._cluster / "PG_VERSION").read_text().strip()
            if made_by != str(version):
                raise EmbeddedPostgresError(
                    f"The database in {self._cluster} was made by PostgreSQL {made_by}, but the "
                    f"programs in {programs.directory} are version {version}. Use PostgreSQL "
                    f"{made_by}, move the data with its pg_dump, or set BOOKING_DATA_DIR to a new "
                    "directory."
                )
            return
        # Made beside its place, then renamed: a half-made cluster is never taken for a whole one.
        # The lock goes along, so that an orphaned initdb is waited for and not written over.
        unfinished = self._directory / "cluster.new"
        if unfinished.exists():
            shutil.rmtree(unfinished)
        locale = ["--locale=C"]  # sorted by code point; letters of all alphabets have their case
        if version >= FIRST_WITH_BUILTIN_LOCALE:
            locale += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        else:
            locale += ["--lc-ctype=C.UTF-8"]
        who = ["-U", SUPERUSER, "--auth=trust"]  # the socket's directory keeps everybody else out
        form = ["--encoding=UTF8", *locale]
        programs.run(
            "initdb", "-D", unfinished, *who, *form, seconds=START_SECONDS, keep_open=[lock]
        )
        unfinished.rename(self._cluster)

    def _ensure_database(self) -> None:
        # A login without superuser's rights: what works here works on anybody's server.
        migrator = sql.Identifier(MIGRATOR)
        with psycopg.connect(self.dsn(SUPERUSER, database="postgres"), autocommit=True) as conn:
            if not conn.execute(_HAS_ROLE, [MIGRATOR]).rowcount:
                conn.execute(sql.SQL("CREATE ROLE {} LOGIN CREATEROLE").format(migrator))
            if conn.execute(_OWNER_LOGS_IN).rowcount:
                with conn.transaction():
                    conn.execute("ALTER ROLE booking_owner NOLOGIN NOCREATEROLE")
                    share = sql.SQL("GRANT booking_owner TO {} WITH ADMIN OPTION")
                    conn.execute(share.format(migrator))
            if not conn.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE]).rowcount:
                make = sql.SQL("CREATE DATABASE {} OWNER {}")
                conn.execute(make.format(sql.Identifier(DATABASE), migrator))

    # -- Starting and stopping -------------------------------------------------------------------

    def _start_again(self, programs: Programs) -> Path:
        _log.error("the embedded PostgreSQL has died; starting it again")
        began = time.monotonic()
        socket = self._start_server(programs)
        took = round(time.monotonic() - began, 2)
        _log.warning("the embedded PostgreSQL runs again", seconds=took)
        return socket

    def _start_server(self, programs: Programs) -> Path:
        socket = make_socket_directory(self._directory, programs.user)
        clear_away(self._cluster, socket, START_SECONDS)
        log = self._directory / "server.log"
        if log.exists() and log.stat().st_size > LOG_BYTES:
            log.rename(log.with_suffix(".log.1"))
        settings = {**self._settings, "port": str(PORT), "unix_socket_directories": str(socket)}
        options = " ".join(
            f"-c {shlex.quote(f'{name}={value}')}" for name, value in settings.items()
        )
        command: list[str | Path] = [
            "start",
            "-w",
            "-s",
            "-t",
            str(START_SECONDS),
            "-D",
            self._cluster,
            "-l",
            log,
        ]
        seen = log.stat().st_size if log.exists() else 0
        try:
            programs.run("pg_ctl", *command, "-o", options, seconds=START_SECONDS + 10)
        except EmbeddedPostgresError as error:
            said = log.read_bytes()[seen:].decode(errors="replace") if log.exists() else ""
            raise EmbeddedPostgresError(
                f"The embedded PostgreSQL did not start; {log} says:\n{said[-2000:] or error}"
            ) from error
        return socket

    def _leave(self, programs: Programs) -> None:
        """Give up the shared lock, and stop the server if nobody else holds it."""
        users, self._users, self._socket = self._users, None, None
        if users is None:
            return
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return  # somebody else uses it, and will find themselves the last one day
        else:
            if is_running(self._cluster):
                self._stop_server(programs)
        finally:
            os.close(users)

    def _stop_server(self, programs: Programs) -> None:
        how = ["-w", "-s", "-m", "fast", "-t", str(STOP_SECONDS), "-D", str(self._cluster)]
        try:
            programs.run("pg_ctl", "stop", *how, seconds=STOP_SECONDS + 10)
        except EmbeddedPostgresError:
            # It may have been killed meanwhile, which pg_ctl calls a failure to stop: the next
            # start recovers it.
            if is_running(self._cluster):
                raise

    # -- What it stands on -----------------------------------------------------------------------

    def _programs(self, user: ServerUser) -> Programs:
        return Programs(self._bin_dir or wheel_programs(), user, self._directory)

    @contextlib.contextmanager
    def _starting(self, user: ServerUser) -> Iterator[int]:
        lock = self._open_lock("starting", user)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield lock
        finally:
            os.close(lock)

    def _open_lock(self, name: str, user: ServerUser) -> int:
        path = self._directory / name
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        user.own(path, 0o600)
        return descriptor
