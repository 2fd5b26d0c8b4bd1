"""From SIGTERM to the closed door: those who watch `/readyz` learn first, and clients go in peace.

    SIGTERM ──► /readyz answers 503, every answer says Connection: close; all else as ever
            ──► (after a while, or a second signal) uvicorn closes the door and answers what is
                under way ──► the queue commits what waits ──► exit status 0

A signal from the keyboard (SIGINT) closes at once.
"""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import structlog

log = structlog.get_logger("api")


class Draining:
    """Whether the process has been told to stop.

    Attributes:
        began: it has.
    """

    def __init__(self) -> None:
        """Nobody has told it to."""
        self.began = False
        self._told: list[Callable[[float], None]] = []

    def when_told(self, act: Callable[[float], None]) -> None:
        """Name somebody who has to know before the door closes: connections that would stay.

        Args:
            act: is told in how many seconds the door closes.
        """
        self._told.append(act)

    def tell(self, seconds: float) -> None:
        """Tell all who have to know.

        Args:
            seconds: until the door closes.
        """
        for act in self._told:
            act(seconds)

    @contextmanager
    def after_sigterm(self, seconds: float) -> Iterator[None]:
        """Put a while before what the server does on SIGTERM.

        Call it in the main thread, in the running loop, when the server's own handler is in place.

        Args:
            seconds: how long the while is.
        """
        servers_own = signal.getsignal(signal.SIGTERM)
        loop = asyncio.get_running_loop()

        def close() -> None:
            signal.signal(signal.SIGTERM, servers_own)
            signal.raise_signal(signal.SIGTERM)

        def begin(_number: int, _frame: FrameType | None) -> None:
            if self.began:
                close()
                return
            self.began = True
            # The line is logged there: a signal may come while another one is being written.
            loop.call_soon_threadsafe(wait)

        def wait() -> None:
            log.info("api.draining", closing_in_seconds=seconds)
            self.tell(seconds)
            loop.call_later(seconds, close)

        signal.signal(signal.SIGTERM, begin)
        try:
            yield
        finally:
            if signal.getsignal(signal.SIGTERM) is begin:
                signal.signal(signal.SIGTERM, servers_own)
