"""What is measured without HTTP: a process of its own that puts itself under load when told to.

Both ends are here. The process says "ready", then for each line that it reads, a number of seconds,
it runs a load and prints what came of it, as JSON in one line.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO, cast

from scripts.benchmarks.failure import BenchFailed
from scripts.benchmarks.load import Answered
from scripts.benchmarks.servers import ROOT, environment

_READY = "ready"
_STOP_SECONDS = 40

RunLoad = Callable[[float], tuple[float, list[float]]]
"""Loads for so many seconds; gives from first to last, and the latency of each, in seconds."""


class Worker:
    """The measured process, as the benchmark has it."""

    def __init__(self, name: str, process: "subprocess.Popen[str]", log: Path) -> None:
        """Wait until the process is ready.

        Raises:
            BenchFailed: it ended instead.
        """
        self.process_id = process.pid
        self._name = name
        self._log = log
        self._asked = cast("TextIO", process.stdin)
        self._answers = cast("TextIO", process.stdout)
        self._read()

    def load(self, seconds: float) -> Answered:
        """Has it run a load.

        Args:
            seconds: until the last begins.

        Raises:
            BenchFailed: something in the load failed.
        """
        self._asked.write(f"{seconds}\n")
        self._asked.flush()
        taken, latencies = json.loads(self._read())
        return Answered(seconds=taken, latencies=sorted(latencies), generator_seconds=0.0)

    def _read(self) -> str:
        line = self._answers.readline()
        if not line:
            raise BenchFailed(f"{self._name} failed: {self._log.read_text()[-2000:]}")
        return line


@contextmanager
def working(name: str, module: str, arguments: Sequence[str], log: Path) -> Iterator[Worker]:
    """Runs a process to measure until the context ends.

    Args:
        name: for people.
        module: what Python runs; it calls `take_loads`.
        arguments: of the module.
        log: a file for its standard error.

    Raises:
        BenchFailed: it did not start.
    """
    with log.open("wb") as errors:
        process = subprocess.Popen(  # noqa: S603 - this project's own module, no input from outside
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            env=environment({}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    try:
        yield Worker(name, process, log)
    finally:
        try:
            process.communicate(timeout=_STOP_SECONDS)  # nothing more to read: it ends by itself
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def take_loads(run: RunLoad) -> None:
    """Runs loads as they are asked for, in the measured process, until nobody asks any more.

    Args:
        run: runs one.
    """
    sys.stdout.write(f"{_READY}\n")
    sys.stdout.flush()
    for line in sys.stdin:
        json.dump(run(float(line)), sys.stdout)
        sys.stdout.write("\n")
        sys.stdout.flush()
