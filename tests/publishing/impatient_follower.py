"""What follows the logs, as a process of its own, which can be killed. It soon loses patience."""

import asyncio
import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.context import ForkServerProcess

from api.projecting import follow_logs
from infra import told_circuits
from infra.publishing import following
from infra.settings import Settings


@contextmanager
def impatient_follower(dsn: str, settings: Settings) -> Iterator[ForkServerProcess]:
    forks = multiprocessing.get_context("forkserver")
    forks.set_forkserver_preload([__name__])
    process = forks.Process(target=_work, args=[dsn, settings], daemon=True)
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join()


def _work(dsn: str, settings: Settings) -> None:
    following.FAILURES, following.PAUSE_SECONDS = 1, 0.2
    told_circuits.TELL_SECONDS = 0.1
    asyncio.run(follow_logs(dsn, settings))
