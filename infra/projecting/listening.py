"""Hears which tenants have new events: a connection that listens, made again when it is lost."""

import asyncio
from collections.abc import Callable, Iterable

import psycopg
import structlog
from psycopg import AsyncConnection
from psycopg.conninfo import make_conninfo

from domain.ids import TenantId
from infra.log.announcing import CHANNEL, tenants_in

log = structlog.get_logger(__name__)

AGAIN_SECONDS = 1.0
_LISTEN = f"listen {CHANNEL}"


async def listen(dsn: str, hear: Callable[[Iterable[TenantId]], None]) -> None:
    """Listen until cancelled; while there is no connection, whoever polls still sees everything.

    Args:
        dsn: straight to the server.
        hear: is told which tenants have new events.
    """
    dsn = make_conninfo(
        dsn, application_name="booking_listener", connect_timeout=5, keepalives_idle=10
    )
    while True:
        try:
            async with await AsyncConnection.connect(dsn, autocommit=True) as conn:
                await conn.execute(_LISTEN)
                async for notice in conn.notifies():
                    hear(tenants_in(notice.payload))
        except psycopg.OperationalError as error:
            log.warning("projector.not_listening", error=type(error).__name__)
        await asyncio.sleep(AGAIN_SECONDS)
