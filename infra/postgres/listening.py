"""Hears what others tell on a channel: a connection that listens, made again when it is lost."""

import asyncio
from collections.abc import Callable
from typing import LiteralString

import psycopg
import structlog
from psycopg import AsyncConnection
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Identifier

log = structlog.get_logger(__name__)

AGAIN_SECONDS = 1.0


async def listen(dsn: str, channel: LiteralString, hear: Callable[[str], None], name: str) -> None:
    """Listen until cancelled; what is told while there is no connection is missed.

    Args:
        dsn: straight to the server.
        channel: where.
        hear: is told the payload of each notification; anybody who can log in could have sent it.
        name: of the connection, for whoever looks at the server.
    """
    dsn = make_conninfo(dsn, application_name=name, connect_timeout=5, keepalives_idle=10)
    while True:
        try:
            async with await AsyncConnection.connect(dsn, autocommit=True) as conn:
                await conn.execute(SQL("listen {}").format(Identifier(channel)))
                async for notice in conn.notifies():
                    hear(notice.payload)
        except psycopg.OperationalError as error:
            log.warning("postgres.not_listening", channel=channel, error=type(error).__name__)
        await asyncio.sleep(AGAIN_SECONDS)
