"""The product as its users start it: `booking serve` in a process of its own, spoken to by HTTP."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from infra.postgres.embedded import MIGRATOR, EmbeddedPostgres
from tests.kill_postgres import kill_postgres, postgres_processes
from tests.projector_processes import is_projecting, projectors_of
from tests.scratch import scratch_directory

ROOT = Path(__file__).parents[2]
DEMO_KEY = "a-key-of-the-demo-tenant"
ADDRESS = re.compile(r"listens at (http://\S+:\d+)")
STARTING_SECONDS = 60
PATIENCE_SECONDS = 30
FINE_DAY = datetime(2027, 3, 1, tzinfo=UTC)


@dataclass
class Serving:
    """A running `booking serve`, and what it has printed."""

    data_dir: Path
    process: "subprocess.Popen[str]"
    address: str
    printed: list[str] = field(default_factory=list)

    def booking(
        self, *arguments: str, stdin: str | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """Run another command of the command line on the same data."""
        return subprocess.run(  # noqa: S603 - our own program, arguments of our own
            [sys.executable, "-m", "api.cli", *arguments],
            cwd=ROOT,
            env=environment(self.data_dir),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def client(self, key: str = DEMO_KEY) -> httpx.Client:
        """A client that shows a key, with a connection of its own."""
        return httpx.Client(
            base_url=self.address, headers={"Authorization": f"Bearer {key}"}, timeout=30
        )

    def said(self, words: str) -> bool:
        """Whether they stand in a line that it printed."""
        return any(words in line for line in self.printed)

    @property
    def tail(self) -> str:
        """What it printed last, for whoever has to find out why a test failed."""
        return "".join(self.printed)[-4000:]

    def stop(self) -> int:
        """Ctrl-C in its terminal, which tells all of its processes, and wait."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(timeout=30)


def environment(data_dir: Path, **more: str) -> dict[str, str]:
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("BOOKING_", "DATABASE_", "MIGRATION_", "REDIS_", "LOG_"))
    }
    return inherited | {
        "BOOKING_DATA_DIR": str(data_dir),
        "BOOKING_DEMO_API_KEY": DEMO_KEY,
        "PYTHONUNBUFFERED": "1",
        "LOG_FORMAT": "json",
        **more,
    }


def start(data_dir: Path, *arguments: str, **settings: str) -> Serving:
    """Start `booking serve`; the settings are those of its environment."""
    process = subprocess.Popen(  # noqa: S603 - our own program, arguments of our own
        [sys.executable, "-m", "api.cli", "serve", "--port", "0", *arguments],
        cwd=ROOT,
        env=environment(data_dir, **settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    serving = Serving(data_dir, process, "")
    listening = threading.Event()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            serving.printed.append(line)
            found = ADDRESS.search(line)
            if found:
                serving.address = found[1]
            if line.startswith("Stop it with"):  # the last of what it says about itself
                listening.set()
        listening.set()
        process.stdout.close()

    threading.Thread(target=read, daemon=True).start()
    assert listening.wait(STARTING_SECONDS)
    assert serving.address, "".join(serving.printed)
    return serving


@dataclass
class House:
    """A data directory, and whoever serves from it."""

    data_dir: Path
    serving: Serving | None = None

    def open(self, *arguments: str, **settings: str) -> Serving:
        self.serving = start(self.data_dir, *arguments, **settings)
        return self.serving

    @property
    def cluster(self) -> Path:
        return (self.data_dir / "postgres" / "cluster").resolve()

    def kill_server(self) -> None:
        assert self.serving is not None
        self.serving.process.kill()
        self.serving.process.wait()

    def close(self) -> None:
        if self.serving is not None and self.serving.process.poll() is None:
            projectors = projectors_of(self.serving.process.pid)
            self.kill_server()
            assert soon(lambda: not any(map(is_projecting, projectors)))
        with EmbeddedPostgres(self.data_dir / "postgres"):
            pass  # whoever leaves last stops it
        assert soon(lambda: not self.database_processes())  # they end a moment after it has stopped

    def kill_database(self) -> None:
        kill_postgres(self.cluster)

    def database_processes(self) -> list[int]:
        return postgres_processes(self.cluster)


@pytest.fixture
def house() -> Iterator[House]:
    with scratch_directory("booking-house-") as directory:
        house = House(Path(directory) / "data")
        yield house
        house.close()


@contextmanager
def commits_held_up(data_dir: Path) -> Iterator[None]:
    """Nothing is committed until the context ends; it must not outlast the wait for a lock."""
    with (
        EmbeddedPostgres(data_dir / "postgres") as server,
        psycopg.connect(server.dsn(MIGRATOR)) as conn,
    ):
        conn.execute("select from booking.tenant_head for update")
        yield


def soon(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@pytest.fixture(scope="session")
def serving() -> Iterator[Serving]:
    with scratch_directory("booking-serve-") as directory:
        running = start(Path(directory) / "data")
        yield running
        assert running.stop() == 0, "".join(running.printed)[-2000:]


@pytest.fixture
def api(serving: Serving) -> Iterator[httpx.Client]:
    with serving.client() as client:
        yield client


def register(api: httpx.Client, name: str = "Stage") -> str:
    answer = api.post("/v1/resources", json={"name": name, "kind": "stage", "timezone": "UTC"})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def booking(
    *resources: str, hour: int = 9, hours: int = 1, day: int = 0, **more: object
) -> dict[str, Any]:
    """The body of a booking on one fine day, or so many days after it."""
    start = FINE_DAY + timedelta(days=day, hours=hour)
    return {
        "resource_ids": list(resources),
        "start_time": start.isoformat(),
        "end_time": (start + timedelta(hours=hours)).isoformat(),
        "title": "Pilot",
        "status": "confirmed",
    } | more


def at_once(
    serving: Serving, calls: list[Callable[[httpx.Client], httpx.Response]]
) -> list[httpx.Response]:
    """Send all calls at the same moment, each from a client that is already connected."""
    barrier = threading.Barrier(len(calls))

    def run(call: Callable[[httpx.Client], httpx.Response]) -> httpx.Response:
        with serving.client() as client:
            client.get("/livez")
            barrier.wait(timeout=30)
            return call(client)

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))
