"""Runs something beside a server that has the main thread, in an event loop of its own."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import structlog

_log = structlog.get_logger(__name__)

PAUSE_SECONDS = 5.0  # before what ended by itself is started again


async def until(stop: asyncio.Event, work: Callable[[], Awaitable[None]]) -> None:
    """Keep some work running until told to stop; work that fails is logged and begun again.

    Args:
        stop: is set when it shall end.
        work: runs until cancelled.
    """
    stopping = asyncio.ensure_future(stop.wait())
    while not stop.is_set():
        running = asyncio.ensure_future(work())
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
        running.cancel()
        (outcome,) = await asyncio.gather(running, return_exceptions=True)
        if not stop.is_set():
            # Whatever it was, the rest of the server goes on, and it is tried again.
            _log.error("background work ended", again_in_seconds=PAUSE_SECONDS, exc_info=outcome)
            await asyncio.wait({stopping}, timeout=PAUSE_SECONDS)
    stopping.cancel()


@contextmanager
def beside(work: Callable[[], Awaitable[None]]) -> Iterator[None]:
    """Run work in a thread as long as the context lasts.

    Args:
        work: runs until cancelled.
    """
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    def run() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(until(stop, work))

    thread = threading.Thread(target=run, name="background")
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
