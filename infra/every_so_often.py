"""Work that is done beside the requests every so often, and once more when the process ends."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import structlog

log = structlog.get_logger(__name__)

LAST_SECONDS = 5.0
"""How long the last time may take, so that no process hangs on its way out."""


@asynccontextmanager
async def every_so_often(
    work: Callable[[], Awaitable[None]], seconds: float
) -> AsyncIterator[None]:
    """Has work done until left. What is under way then is finished and not broken off.

    Args:
        work: what is done; it handles the errors that it expects.
        seconds: between two times.

    Yields:
        To whoever makes work; on leaving, it is done for the last time.
    """
    stop = asyncio.Event()
    working = asyncio.create_task(_keep_working(work, seconds, stop))
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait({working}, timeout=LAST_SECONDS)
        working.cancel()
        await asyncio.wait({working}, timeout=LAST_SECONDS)


async def _keep_working(
    work: Callable[[], Awaitable[None]], seconds: float, stop: asyncio.Event
) -> None:
    stopped = False
    while not stopped:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await stop.wait()
        stopped = stop.is_set()
        try:
            await work()
        except Exception:  # nobody awaits this task: a fault is told here, and not the end of it
            log.exception("every_so_often.fault")
