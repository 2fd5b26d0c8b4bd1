"""The embedded PostgreSQL: made, shared, stopped by the last one, and recovered after a crash."""

import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from structlog.testing import capture_logs

from infra.access import create_tenant, tenant_named
from infra.postgres.embedded import DATABASE, MIGRATOR, SUPERUSER, EmbeddedPostgres
from infra.postgres.migrator import migrate
from infra.postgres.preflight import check_runtime
from infra.postgres.schema import Schema, read_schema
from infra.postgres.server_user import EmbeddedPostgresError, server_user
from tests.scratch import scratch_directory

ROOT = Path(__file__).parents[2]
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to change to another user")

# Joins the server of a directory, says so, and waits to be told to leave.
GUEST = """
import sys
from pathlib import Path
from infra.postgres.embedded import EmbeddedPostgres

with EmbeddedPostgres(Path(sys.argv[1]), Path(sys.argv[2]) if sys.argv[2:] else None) as server:
    print("joined", flush=True)
    sys.stdin.read()
"""


class Place:
    """A directory for one server, and ways to look at it."""

    def __init__(self, directory: Path, programs: Path | None) -> None:
        self.directory = directory
        self.programs = programs

    def server(self, **settings: str) -> EmbeddedPostgres:
        # A killed process loses nothing that it has written: only a machine that stops does.
        settings = {"fsync": "off", **settings}
        return EmbeddedPostgres(self.directory, self.programs, settings=settings)

    def guest(self) -> "subprocess.Popen[str]":
        process = subprocess.Popen(  # noqa: S603 - this test's own words
            [sys.executable, "-c", GUEST, self.directory, *filter(None, [self.programs])],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert process.stdout is not None
        assert any(line == "joined\n" for line in process.stdout)  # after its log lines
        return process

    @property
    def postmaster(self) -> int | None:
        file = self.directory / "cluster" / "postmaster.pid"
        return int(file.read_text().split()[0]) if file.exists() else None


@pytest.fixture
def empty_place(postgres_programs: Path | None) -> Iterator[Place]:
    with scratch_directory("booking-test-") as directory:
        yield Place(Path(directory) / "postgres", postgres_programs)


@pytest.fixture(scope="module")
def made(postgres_programs: Path | None) -> Iterator[Path]:
    with scratch_directory("booking-test-") as directory:
        made = Path(directory) / "postgres"
        with Place(made, postgres_programs).server():
            pass
        yield made


@pytest.fixture
def place(empty_place: Place, made: Path) -> Place:
    """A place where the database is made already: making one takes the longest."""
    subprocess.run(["/bin/cp", "-a", made, empty_place.directory], check=True)  # noqa: S603 - ours
    return empty_place


def leave(process: "subprocess.Popen[str]") -> None:
    process.communicate("", timeout=60)


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def scalar(dsn: str, query: bytes) -> object:
    with psycopg.connect(dsn) as conn:
        return (conn.execute(query).fetchone() or (None,))[0]


def test_it_is_made_once_and_keeps_what_was_written(empty_place: Place) -> None:
    with empty_place.server() as server, psycopg.connect(server.dsn(MIGRATOR)) as conn:
        conn.execute("create table kept (word text)")
        conn.execute("insert into kept values ('Bühne')")

    with empty_place.server() as server:
        assert scalar(server.dsn(MIGRATOR), b"select word from kept") == "Bühne"
        assert scalar(server.dsn(MIGRATOR), b"select upper(word) from kept") is not None


def test_only_a_private_socket_leads_to_it(place: Place) -> None:
    with place.server() as server:
        assert scalar(server.dsn(SUPERUSER), b"show listen_addresses") == ""
        socket = place.directory / "socket"
        assert stat.S_IMODE(socket.stat().st_mode) == 0o700
        assert stat.S_IMODE(place.directory.stat().st_mode) == 0o700


def test_its_owner_is_no_superuser(place: Place) -> None:
    with place.server() as server:
        query = b"select rolsuper from pg_roles where rolname = current_user"
        assert scalar(server.dsn(MIGRATOR), query) is False
        owner = b"select datdba::regrole::text from pg_database where datname = current_database()"
        assert scalar(server.dsn(MIGRATOR), owner) == MIGRATOR


def test_an_owner_who_logged_in_once_does_so_no_more_and_keeps_what_is_its_own(
    place: Place,
) -> None:
    schema = read_schema()
    early = tuple(file for file in schema.migrations if file.version < 5)
    with place.server() as server:
        with psycopg.connect(server.dsn(SUPERUSER), autocommit=True) as conn:
            conn.execute("create role booking_owner login createrole")
            conn.execute("alter database booking owner to booking_owner")
            conn.execute("drop role booking_migrator")
        older = server.dsn("booking_owner")
        migrate(older, Schema(migrations=early, function_files=schema.function_files))
        with psycopg.connect(older) as conn:
            tenant_id = create_tenant(conn, "kept", "Kept")

    with place.server() as server:
        with pytest.raises(psycopg.OperationalError, match="not permitted to log in"):
            psycopg.connect(older)
        assert migrate(server.dsn(MIGRATOR))
        check_runtime(server.dsn())
        with psycopg.connect(server.dsn(MIGRATOR)) as conn:
            assert tenant_named(conn, "kept") == tenant_id
            create_tenant(conn, "added", "Added")
            attributes = "select rolcanlogin, rolcreaterole from pg_roles where rolname = %s"
            assert conn.execute(attributes, ["booking_owner"]).fetchone() == (False, False)


def test_the_last_one_to_leave_stops_it(place: Place) -> None:
    first, second = place.server(), place.server()
    first.start()
    second.start()
    guest = place.guest()
    running = place.postmaster

    first.stop()
    leave(guest)
    assert place.postmaster == running
    assert scalar(second.dsn(SUPERUSER), b"select 1") == 1

    second.stop()
    assert place.postmaster is None


def test_many_that_start_it_at_once_share_one(place: Place) -> None:
    servers = [place.server() for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(EmbeddedPostgres.start, servers))

    ask = b"select pg_postmaster_start_time()::text"
    started = {scalar(server.dsn(SUPERUSER), ask) for server in servers}
    for server in servers:
        server.stop()

    assert len(started) == 1
    assert place.postmaster is None


def test_a_killed_user_has_left(place: Place) -> None:
    guest = place.guest()
    running = place.postmaster
    guest.kill()
    leave(guest)

    with place.server():
        assert place.postmaster == running
    assert place.postmaster is None


def test_ctrl_c_in_the_terminal_does_not_reach_it(place: Place) -> None:
    with place.server() as server:
        running = place.postmaster
        assert running is not None
        assert os.getpgid(running) != os.getpgid(0)
        assert os.getsid(running) != os.getsid(0)
        assert scalar(server.dsn(SUPERUSER), b"select 1") == 1


def test_after_everything_was_killed_the_next_start_recovers_it(place: Place) -> None:
    guest = place.guest()
    server = place.server()
    server.start()
    with psycopg.connect(server.dsn(MIGRATOR)) as conn:
        conn.execute("create table survived (id int)")
    running = place.postmaster
    assert running is not None
    guest.kill()
    leave(guest)
    kill(running)
    server.stop()  # finds nothing to stop

    with capture_logs() as told, place.server() as again:
        assert place.postmaster != running
        assert scalar(again.dsn(MIGRATOR), b"select count(*) from survived") == 0
    assert [(line["event"], line["log_level"]) for line in told] == [
        ("the embedded PostgreSQL has died; starting it again", "error"),
        ("the embedded PostgreSQL runs again", "warning"),
    ]
    with capture_logs() as told, place.server():
        assert told == []  # it was stopped


def test_a_killed_servers_number_that_is_now_another_process_is_no_obstacle(place: Place) -> None:
    with place.server():
        pass
    left = [str(os.getpid()), str(place.directory / "cluster"), "0", "5432", "socket", "", "0 0"]
    (place.directory / "cluster" / "postmaster.pid").write_text("\n".join([*left, "ready", ""]))
    (place.directory / "socket" / ".s.PGSQL.5432.lock").write_text("\n".join(left))

    with place.server() as server:
        assert scalar(server.dsn(SUPERUSER), b"select 1") == 1


def test_a_half_made_cluster_is_made_anew(empty_place: Place) -> None:
    empty_place.directory.mkdir()
    unfinished = empty_place.directory / "cluster.new"
    unfinished.mkdir()
    (unfinished / "PG_VERSION").write_text("18\n")

    with empty_place.server() as server:
        assert scalar(server.dsn(MIGRATOR), b"select current_database()") == DATABASE
        assert not unfinished.exists()


def test_a_cluster_of_another_version_is_left_alone(place: Place) -> None:
    with place.server():
        pass
    (place.directory / "cluster" / "PG_VERSION").write_text("14\n")

    with pytest.raises(EmbeddedPostgresError, match="made by PostgreSQL 14"):
        place.server().start()


def test_a_directory_with_other_things_in_it_is_left_alone(empty_place: Place) -> None:
    empty_place.directory.mkdir()
    (empty_place.directory / "thesis.doc").touch()
    before = empty_place.directory.stat()

    with pytest.raises(EmbeddedPostgresError, match=r"thesis\.doc"):
        empty_place.server().start()

    assert empty_place.directory.stat() == before


def test_programs_that_are_missing_are_named(empty_place: Place) -> None:
    nowhere = EmbeddedPostgres(empty_place.directory, Path("/nonexistent/bin"))

    with pytest.raises(EmbeddedPostgresError, match="/nonexistent/bin/postgres"):
        nowhere.start()


def test_a_server_that_cannot_start_shows_its_log(place: Place) -> None:
    wrong = place.server(max_connections="none")

    with pytest.raises(
        EmbeddedPostgresError, match='invalid value for parameter "max_connections"'
    ):
        wrong.start()

    with place.server() as server:
        assert scalar(server.dsn(SUPERUSER), b"select 1") == 1


@pytest.mark.parametrize("name", ["long-" * 24, "with, comma", "with space and 'quote'"])
def test_a_path_that_suits_no_socket_gets_one_elsewhere(empty_place: Place, name: str) -> None:
    awkward = Place(empty_place.directory / name / "postgres", empty_place.programs)
    with awkward.server() as server:
        assert scalar(server.dsn(SUPERUSER), b"select 1") == 1
        said = scalar(server.dsn(SUPERUSER), b"show unix_socket_directories")
    assert isinstance(said, str)
    assert len(said) < 100
    shutil.rmtree(said, ignore_errors=True)


@AS_ROOT
def test_root_lends_it_to_another_user_and_opens_no_more_than_the_way(place: Place) -> None:
    parent = place.directory.parent
    parent.chmod(0o700)
    with place.server():
        assert place.postmaster is not None
        owner = Path(f"/proc/{place.postmaster}").stat().st_uid
        assert owner != 0
        assert (place.directory / "cluster").stat().st_uid == owner
        assert stat.S_IMODE(parent.stat().st_mode) == 0o701


@AS_ROOT
def test_the_owner_of_the_data_is_whom_root_runs_it_as(empty_place: Place) -> None:
    nobody = pwd.getpwnam("nobody")
    cluster = empty_place.directory / "cluster"
    cluster.mkdir(parents=True)
    os.chown(cluster, nobody.pw_uid, nobody.pw_gid)

    assert server_user(cluster).name == "nobody"


@AS_ROOT
def test_data_of_root_itself_is_refused_with_the_remedy(empty_place: Place) -> None:
    cluster = empty_place.directory / "cluster"
    cluster.mkdir(parents=True)

    with pytest.raises(EmbeddedPostgresError, match="chown -R"):
        empty_place.server().start()


def test_starting_again_is_quick(place: Place) -> None:
    with place.server():
        begun = time.monotonic()
        with place.server():
            assert time.monotonic() - begun < 5
