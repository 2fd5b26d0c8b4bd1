"""A sender in a process of its own, that can be killed."""

import asyncio
import os
import sys

from api.sending import cloud_event_bytes
from infra.postgres.pool import open_pool
from infra.webhooks.posting import open_poster
from infra.webhooks.secrets import SecretSealing
from infra.webhooks.sender import Rhythm, WebhookSender

RHYTHM = Rhythm(poll_seconds=0.1, lent_seconds=0.5)


async def send(dsn: str, sealing_key: bytes) -> None:
    pool = await open_pool(dsn, role="booking_projector", max_size=4)
    async with open_poster(anywhere=True, connections=64) as poster:
        sealing = SecretSealing(sealing_key)
        sender = WebhookSender(pool, poster, sealing, cloud_event_bytes, rhythm=RHYTHM)
        await sender.run(dsn)


if __name__ == "__main__":
    asyncio.run(send(sys.argv[1], bytes.fromhex(os.environ["SEALING_KEY"])))
