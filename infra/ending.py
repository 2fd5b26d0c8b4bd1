"""Ends tasks that go on until they are cancelled, also where a cancellation is lost."""

import asyncio
from collections.abc import Collection
from typing import Any

AGAIN_SECONDS = 0.5
"""Before what has not ended is cancelled again; what cleans up is done by then."""


async def end(tasks: "Collection[asyncio.Task[Any]]", again_seconds: float = AGAIN_SECONDS) -> None:
    """Cancel tasks and wait for their end.

    A client library that is cancelled as its connection breaks may raise the error of the
    connection instead, which the task takes for one to go on after; and `asyncio.wait_for` may
    lose a cancellation before Python 3.12.

    Args:
        tasks: that end when they are cancelled.
        again_seconds: before what has not ended is cancelled again.
    """
    pending = {*tasks}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=again_seconds)
