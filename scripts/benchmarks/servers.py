"""The servers that are measured, each a process of its own, ended by whoever started it."""

import http.client
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from scripts.benchmarks.failure import BenchFailed

ROOT = Path(__file__).parents[2]
_ADDRESS = re.compile(r"listens at http://([\d.]+):(\d+)")
_START_SECONDS = 60
_STOP_SECONDS = 40  # more than the servers take to drain
_LOOK_SECONDS = 0.05
_SETTINGS = (
    "BOOKING_",
    "DATABASE_",
    "MIGRATION_",
    "REDIS_",
    "LOG_",
    "CLERK_",
    "OIDC_",
    "HOST",
    "PORT",
)


@dataclass(frozen=True)
class Server:
    """A server that takes connections.

    Attributes:
        name: for people.
        host: an address of this machine.
        port: TCP.
        process_id: of its first process.
    """

    name: str
    host: str
    port: int
    process_id: int


@contextmanager
def running(
    name: str, module: str, arguments: Sequence[str], settings: Mapping[str, str], log: Path
) -> Iterator[Server]:
    """Runs a server of this project until the context ends.

    Args:
        name: for people.
        module: what Python runs; it prints where it listens, as `booking serve` does.
        arguments: of the module.
        settings: environment variables; no other setting of the product reaches it.
        log: a file for what it prints.

    Yields:
        The server.

    Raises:
        BenchFailed: it did not start.
    """
    with log.open("wb") as printed:
        process = subprocess.Popen(  # noqa: S603 - this project's own module, no input from outside
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            env=environment(settings),
            stdout=printed,
            stderr=subprocess.STDOUT,
        )
    try:
        host, port = _wait_for_address(name, process, log)
        yield Server(name, host, port, process.pid)
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Gives the environment of a process to measure: ours, with no settings but these.

    Args:
        settings: environment variables.
    """
    inherited = {key: text for key, text in os.environ.items() if not key.startswith(_SETTINGS)}
    return {**inherited, **settings, "PYTHONUNBUFFERED": "1"}


def figures(server: Server, api_key: str) -> dict[str, float]:
    """Reads what a server tells Prometheus about itself, as far as it has no labels.

    Args:
        server: which.
        api_key: that it accepts.

    Returns:
        Each figure by its name.

    Raises:
        BenchFailed: it does not tell.
    """
    connection = http.client.HTTPConnection(server.host, server.port, timeout=10)
    try:
        connection.request("GET", "/metrics", headers={"Authorization": f"Bearer {api_key}"})
        answer = connection.getresponse()
        text = answer.read().decode()
    finally:
        connection.close()
    if answer.status != http.client.OK:
        raise BenchFailed(f"{server.name} answered /metrics with {answer.status}: {text[:500]}")
    samples = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in samples if "{" not in name}


def _wait_for_address(name: str, process: "subprocess.Popen[bytes]", log: Path) -> tuple[str, int]:
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        found = _ADDRESS.search(log.read_text(errors="replace"))
        if found is not None:
            return found[1], int(found[2])
        time.sleep(_LOOK_SECONDS)
    raise BenchFailed(f"{name} did not start: {log.read_text(errors='replace')[-2000:]}")
