"""What follows the log for public pages, as a process of its own, which can be killed."""

import asyncio
import time
from contextlib import AbstractContextManager
from multiprocessing.context import ForkServerProcess

from infra.cdn.cloudflare import Cloudflare
from infra.circuits import Circuits
from infra.postgres.pool import open_pool
from infra.publishing.following import PublicPageFollower
from tests.publishing.forked import forked
from tests.publishing.local_cloudflare import TOKEN, ZONE


def purger(dsn: str, endpoint: str) -> AbstractContextManager[ForkServerProcess]:
    return forked(_work, dsn, endpoint)


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
