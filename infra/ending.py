"""Ends tasks that go on until they are cancelled, also where a cancellation is lost."""

import asyncio
from collections.abc import Collection
from typing import Any

AGAIN_SECONDS = 0.5
"""Before what has not ended is cancelled again; what cleans up is done by then."""


async def end(tasks: "Collection[asyncio.Task[Any]]") -> None:
    """Cancel tasks and wait for their end.

    A client library that is cancelled as its connection breaks may raise the error of the
    connection instead, which the task takes for one to go on after.

    Args:
        tasks: that end when they are cancelled.
    """
    pending = {*tasks}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=AGAIN_SECONDS)
