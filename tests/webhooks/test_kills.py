"""Senders are killed as messages are under way: each arrives all the same, in its order."""

import asyncio
import os
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from infra.database import Database
from infra.master_key import MasterKey
from infra.wrapped_secrets import open_secrets
from tests.api.conftest import Studio
from tests.webhooks.conftest import Senders, hook, lifted
from tests.webhooks.receiver import Received, Receiver

ROOT = Path(__file__).parents[2]
BOOKINGS = 8
EVENTS = 1 + 3 * BOOKINGS


@asynccontextmanager
async def mortal(database: Database, key: bytes) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.webhooks.sending_process", database.runtime_dsn),
        cwd=ROOT,
        env=os.environ | {"SEALING_KEY": key.hex()},
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_senders_that_are_killed_lose_nothing_and_keep_the_order(
    studio: Studio, receiver: Receiver, database: Database, master_key: MasterKey,
    sending: Senders,
) -> None:  # fmt: skip
    kept = await asyncio.to_thread(open_secrets, database.runtime_dsn, master_key)
    stage = await studio.resource()
    for hour in range(BOOKINGS):
        await lifted(studio, stage, hour)
    to_kill = asyncio.Event()

    async def answer(_message: Received) -> web.Response:
        """Have the sender killed while it waits for some of the answers."""
        if len(receiver.received) % 3 == 0:
            to_kill.set()
            await asyncio.sleep(0.05)
        return web.Response(status=204)

    receiver.answer = answer
    made = await hook(studio, receiver.url, after=0)
    key = kept.webhook_secret_sealing
    async with mortal(database, key) as one, mortal(database, key) as other:
        for process in (one, other):
            to_kill.clear()
            async with asyncio.timeout(20):
                await to_kill.wait()
            process.kill()
            await process.wait()
    async with sending(lent_seconds=0.5):
        await made.once(lambda told: (told["position"], told["waiting"]) == (EVENTS, 0))

    assert set(receiver.positions) == set(range(1, EVENTS + 1))
    assert len(receiver.received) > EVENTS  # some were under way when their sender died
    for subject in {message.subject for message in receiver.received}:
        came = [each.position for each in receiver.received if each.subject == subject]
        assert came == sorted(came), subject
