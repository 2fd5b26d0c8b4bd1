"""Tells every process whose key was destroyed, so that none remembers it.

It is a hint, sent after the commit: a process that misses it remembers the key for a minute at
most (`CustomerVault`).
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from uuid import UUID

import psycopg
import structlog

from domain.ids import TenantId
from infra.customer_vault import CustomerVault
from infra.errors import Overloaded
from infra.postgres.listening import listen
from infra.postgres.pool import Pool, borrowed

log = structlog.get_logger(__name__)

CHANNEL = "booking_forgotten"
LISTENER = "booking_forgetting"
"""The name of the connection that listens."""


async def announce(pool: Pool, tenant_id: TenantId, key_id: UUID) -> None:
    """Tells all processes that a key is destroyed.

    Args:
        pool: any connections to the database.
        tenant_id: whose customer.
        key_id: the key.
    """
    try:
        async with borrowed(pool) as conn:
            await conn.execute(
                "select pg_notify(%s, %s)", [CHANNEL, f"{tenant_id.hex},{key_id.hex}"]
            )
    except (Overloaded, psycopg.Error) as error:
        log.warning("vault.not_announced", error=type(error).__name__)


@asynccontextmanager
async def heard_by(
    vault: CustomerVault, dsn: str, forgotten: Callable[[TenantId], None]
) -> AsyncIterator[None]:
    """Has a vault hear of destroyed keys until left.

    Args:
        vault: forgets them.
        forgotten: is told whose customer it was, after the vault.
        dsn: straight to the server.

    Yields:
        To what works with the vault.
    """

    def hear(payload: str) -> None:
        named = _key_in(payload)
        if named is not None:
            vault.discard(*named)
            forgotten(named[0])

    listening = asyncio.create_task(listen(dsn, CHANNEL, hear, LISTENER))
    try:
        yield
    finally:
        listening.cancel()
        await asyncio.wait({listening})


def _key_in(payload: str) -> tuple[TenantId, UUID] | None:
    """Reads an announcement; None where it is not one of ours."""
    try:
        tenant_id, key_id = payload.split(",")
        return TenantId(UUID(hex=tenant_id)), UUID(hex=key_id)
    except ValueError:
        return None
