"""What follows the log for public pages, as a process of its own, which can be killed."""

import asyncio
import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.context import ForkServerProcess

from infra.cdn.cloudflare import Cloudflare
from infra.circuits import Circuits
from infra.postgres.pool import open_pool
from infra.publishing.following import PublicPageFollower
from tests.publishing.local_cloudflare import TOKEN, ZONE


@contextmanager
def purger(dsn: str, endpoint: str) -> Iterator[ForkServerProcess]:
    forks = multiprocessing.get_context("forkserver")
    forks.set_forkserver_preload([__name__])
    process = forks.Process(target=_work, args=[dsn, endpoint], daemon=True)
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join()


def _work(dsn: str, endpoint: str) -> None:
    asyncio.run(_follow(dsn, endpoint))


async def _follow(dsn: str, endpoint: str) -> None:
    pool = await open_pool(dsn, role="booking_projector", max_size=2)
    async with Cloudflare.reached(endpoint, ZONE, TOKEN) as cdn:
        follower = PublicPageFollower(
            pool,
            cdn,
            circuits=Circuits(),
            purges_a_minute=6000,
            clock=time.monotonic,
            poll_seconds=0.1,
        )
        await follower.run(dsn)
