"""Runs works that go on until they are cancelled, and ends them, also where a cancellation is lost.

A client library that is cancelled as its connection breaks may raise the error of the connection
instead, which the work takes for one to go on after; and `asyncio.wait_for`, by which a pool's
callers wait for a connection, may lose a cancellation before Python 3.12. `asyncio.TaskGroup`
cancels each of its tasks once: it waits for ever for one of these.
"""

import asyncio
from collections.abc import Collection, Coroutine
from typing import Any

AGAIN_SECONDS = 0.5
"""Before what has not ended is cancelled again; what cleans up is done by then."""


async def end(tasks: "Collection[asyncio.Task[Any]]", again_seconds: float = AGAIN_SECONDS) -> None:
    """Cancel tasks and wait for their end; whoever is cancelled meanwhile leaves none behind.

    Args:
        tasks: that end when they are cancelled.
        again_seconds: before what has not ended is cancelled again.
    """
    pending, is_cancelled = {*tasks}, False
    while pending:
        for task in pending:
            task.cancel()
        try:
            await asyncio.wait(pending, timeout=again_seconds)
        except asyncio.CancelledError:
            is_cancelled = True
        pending = {task for task in pending if not task.done()}
    if is_cancelled:
        raise asyncio.CancelledError


async def run_together(*works: Coroutine[Any, Any, None]) -> None:
    """Run works side by side until all are done; the first that fails ends the others.

    Args:
        works: what is run, each in a task of its own.

    Raises:
        ExceptionGroup: some failed, with what they raised.
    """
    tasks = [asyncio.create_task(work) for work in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        await end(tasks)
    failures = [
        failure
        for task in tasks
        if not task.cancelled() and isinstance(failure := task.exception(), Exception)
    ]
    if failures:
        raise ExceptionGroup("what ran together has failed", failures)
