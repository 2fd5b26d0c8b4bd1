"""What follows the logs, as a process of its own, which can be killed. It soon loses patience."""

import asyncio
from contextlib import AbstractContextManager
from multiprocessing.context import ForkServerProcess

from api.projecting import follow_logs
from infra import told_circuits
from infra.publishing import following
from infra.settings import Settings
from tests.publishing.forked import forked


def impatient_follower(dsn: str, settings: Settings) -> AbstractContextManager[ForkServerProcess]:
    return forked(_work, dsn, settings)


def _work(dsn: str, settings: Settings) -> None:
    following.FAILURES, following.PAUSE_SECONDS = 1, 0.2
    told_circuits.TELL_SECONDS = 0.1
    asyncio.run(follow_logs(dsn, settings))
