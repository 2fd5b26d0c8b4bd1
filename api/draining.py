"""From SIGTERM to the closed door: those who watch `/readyz` learn first, and clients go in peace.

    SIGTERM ──► /readyz answers 503, every answer says Connection: close; all else as ever
            ──► (after a while, or a second signal) uvicorn closes the door and answers what is
                under way ──► the queue commits what waits ──► exit status 0

A signal from the keyboard (SIGINT) closes at once. What lasts as long as its client stays, such as
a stream of events, ends when the signal comes.
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
        self._then: dict[object, Callable[[], None]] = {}

    def when_begun(self, then: Callable[[], None]) -> Callable[[], None]:
        """Has something done when the signal comes.

        Args:
            then: does it in the loop; soon, if the signal has come already.

        Returns:
            What makes it unasked.
        """
        asked = object()
        self._then[asked] = then
        if self.began:
            asyncio.get_running_loop().call_soon(then)

        def unasked() -> None:
            self._then.pop(asked, None)

        return unasked

    @contextmanager
    def after_signals(self, seconds: float) -> Iterator[None]:
        """Put a while before what the server does on SIGTERM, and end what lasts.

        Call it in the main thread, in the running loop, when the server's handlers are in place.

        Args:
            seconds: how long the while is.
        """
        servers_own = signal.getsignal(signal.SIGTERM)
        keyboard = signal.getsignal(signal.SIGINT)
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
            self._end_what_lasts()
            loop.call_later(seconds, close)

        def at_once(number: int, frame: FrameType | None) -> None:
            loop.call_soon_threadsafe(self._end_what_lasts)
            if callable(keyboard):
                keyboard(number, frame)

        signal.signal(signal.SIGTERM, begin)
        signal.signal(signal.SIGINT, at_once)
        try:
            yield
        finally:
            for number, ours, before in (
                (signal.SIGTERM, begin, servers_own),
                (signal.SIGINT, at_once, keyboard),
            ):
                if signal.getsignal(number) is ours:
                    signal.signal(number, before)

    def _end_what_lasts(self) -> None:
        for then in [*self._then.values()]:
            then()
