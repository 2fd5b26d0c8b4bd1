"""The composition root of a process, or of a part of one, that sends webhooks."""

import asyncio
from contextlib import AsyncExitStack

import psycopg
import structlog
from pydantic_core import to_json

from api.rendering import cloud_event_body
from domain.ids import TenantId
from infra.engine.trail import logged_event
from infra.kept_secrets import master_key_of
from infra.log.reader import RecordedEvent
from infra.postgres.pool import open_pool
from infra.settings import Settings
from infra.told_circuits import Told, telling
from infra.webhooks.places import IN_ALL
from infra.webhooks.posting import open_poster
from infra.webhooks.secrets import SecretSealing
from infra.webhooks.sender import WebhookSender
from infra.wrapped_secrets import open_secrets

log = structlog.get_logger(__name__)

CONNECTIONS = 4
ENDPOINTS = "webhook endpoints"  # all of them, of all tenants: there is no circuit for each
AGAIN_SECONDS = 5.0


async def send_webhooks(runtime_dsn: str, settings: Settings) -> None:
    """Send the messages of all tenants until cancelled.

    Args:
        runtime_dsn: of a login that may become `booking_projector` and `booking_background`.
        settings: the master key among them, and where messages may go.

    Raises:
        RoleUnsafe: as this role the database would not keep tenants apart.
        WrongMasterKey: something is wrapped under a master key that is not at hand.
        psycopg.OperationalError: the server cannot be reached.
    """
    secrets = await asyncio.to_thread(open_secrets, runtime_dsn, master_key_of(settings))
    async with AsyncExitStack() as stack:
        pool = await open_pool(runtime_dsn, role="booking_projector", max_size=CONNECTIONS)
        stack.push_async_callback(pool.close)
        poster = await stack.enter_async_context(
            open_poster(anywhere=settings.webhooks_anywhere, connections=IN_ALL)
        )
        sealing = SecretSealing(secrets.webhook_secret_sealing)
        sender = WebhookSender(pool, poster, sealing, cloud_event_bytes)
        async with telling(pool, lambda: {ENDPOINTS: Told.of_many(sender.left_alone)}):
            await sender.run(runtime_dsn)


async def keep_sending(runtime_dsn: str, settings: Settings) -> None:
    """Send until cancelled, beside others whom it must not keep from their work if it fails.

    Args:
        runtime_dsn: as above.
        settings: as above.
    """
    while True:
        try:
            await send_webhooks(runtime_dsn, settings)
        except psycopg.OperationalError as error:  # it lets nobody in, as it seems
            log.warning("webhooks.cannot_begin", error=type(error).__name__)
        except Exception:  # whatever it was: those beside it go on, and it is tried again
            log.exception("webhooks.ended", again_in_seconds=AGAIN_SECONDS)
        await asyncio.sleep(AGAIN_SECONDS)


def cloud_event_bytes(tenant_id: TenantId, event: RecordedEvent) -> bytes:
    """Tell an event as `GET /v1/events` does; personal data stays sealed.

    Args:
        tenant_id: whose.
        event: as it stands in the log.
    """
    return to_json(cloud_event_body(tenant_id, logged_event(event)))
