"""Runs background work until it is stopped: as all that a process does, or beside a server."""

import asyncio
import signal
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import structlog
import uvloop

from api.cli.signals import STOPS
from infra.ending import end

_log = structlog.get_logger(__name__)

PAUSE_SECONDS = 5.0  # before what ended by itself is started again
AGAIN_SECONDS = 2.0  # before what has not ended is cancelled again; what cleans up is done by then


def run_until_stopped(work: Callable[[], Awaitable[None]]) -> None:
    """Run work in the main thread until SIGINT or SIGTERM.

    Args:
        work: runs until cancelled.
    """
    # Told to the loop: an exception out of nowhere would tear tasks apart, in loud tracebacks, and
    # in a loop that only begins it may be lost.
    early = threading.Event()

    async def run() -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        for number in STOPS:
            loop.add_signal_handler(number, stop.set)
        if early.is_set():
            stop.set()
        await _until(stop, work)
        await end(_all_others(), AGAIN_SECONDS)

    for number in STOPS:
        signal.signal(number, lambda _number, _frame: early.set())
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


@contextmanager
def beside(work: Callable[[], Awaitable[None]]) -> Iterator[None]:
    """Run work in a thread as long as the context lasts, in an event loop of its own.

    Args:
        work: runs until cancelled.
    """
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    def run() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(_until(stop, work))

    thread = threading.Thread(target=run, name="background")
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()


async def _until(stop: asyncio.Event, work: Callable[[], Awaitable[None]]) -> None:
    """Keep work running until told to stop; work that fails is logged and begun again."""
    stopping = asyncio.ensure_future(stop.wait())
    while not stop.is_set():
        running = asyncio.ensure_future(work())
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
        await end({running}, AGAIN_SECONDS)
        (outcome,) = await asyncio.gather(running, return_exceptions=True)
        if not stop.is_set():
            # Whatever it was, the rest of the server goes on, and it is tried again.
            _log.error(
                "background work ended",
                again_in_seconds=PAUSE_SECONDS,
                error=type(outcome).__name__,
                exc_info=_beside_the_database(outcome),
            )
            await asyncio.wait({stopping}, timeout=PAUSE_SECONDS)
    stopping.cancel()


def _beside_the_database(failure: BaseException | None) -> BaseException | None:
    """Gives what of a failure needs a traceback: not that the database lets nobody in."""
    if isinstance(failure, BaseExceptionGroup):
        return failure.split(psycopg.OperationalError)[1]
    return None if isinstance(failure, psycopg.OperationalError) else failure


def _all_others() -> "set[asyncio.Task[Any]]":
    return {task for task in asyncio.all_tasks() if task is not asyncio.current_task()}
