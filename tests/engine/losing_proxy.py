"""A proxy before PostgreSQL that can lose an answer.

The statement is carried out; its caller never hears of it.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict, make_conninfo

READY_FOR_QUERY = b"Z\x00\x00\x00\x05"


class LosingProxy:
    """Forwards between a socket of its own and the server's, until told to lose answers."""

    def __init__(self, upstream: Path) -> None:
        self._upstream = upstream
        self._to_lose = 0
        self._to_pass = 0
        self._connections: set[asyncio.Task[None]] = set()

    def lose_answers(self, number: int, *, after: int = 0) -> None:
        """The connections of the next so many statements break when these have been carried out.

        A number of statements before them are answered as ever.
        """
        self._to_lose = number
        self._to_pass = after

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.create_task(self._forward(reader, writer))
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)
        # One that is cancelled before it began never comes to close it.
        connection.add_done_callback(lambda _: writer.close())

    async def close(self) -> None:
        for connection in tuple(self._connections):
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with _closing(writer):
            try:
                up_reader, up_writer = await asyncio.open_unix_connection(self._upstream)
            except OSError:  # there is no server: nor is there one here
                return
            async with _closing(up_writer):
                doomed = asyncio.Event()
                pumps = (
                    asyncio.create_task(self._ask(reader, up_writer, doomed)),
                    asyncio.create_task(_answer(up_reader, writer, doomed)),
                )
                try:
                    await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for pump in pumps:
                        pump.cancel()
                    await asyncio.gather(*pumps, return_exceptions=True)

    async def _ask(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, doomed: asyncio.Event
    ) -> None:
        while data := await reader.read(65536):
            if self._to_pass:
                self._to_pass -= 1
            elif self._to_lose and not doomed.is_set():
                self._to_lose -= 1
                doomed.set()
            writer.write(data)
            await writer.drain()


@asynccontextmanager
async def _closing(writer: asyncio.StreamWriter) -> AsyncIterator[None]:
    try:
        yield
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def _answer(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, doomed: asyncio.Event
) -> None:
    while data := await reader.read(65536):
        if not doomed.is_set():
            writer.write(data)
            await writer.drain()
        elif READY_FOR_QUERY in data:
            return


@asynccontextmanager
async def losing_proxy(dsn: str) -> AsyncIterator[tuple[LosingProxy, str]]:
    """A proxy before the server that a connection string names, and the string that leads to it."""
    parts = conninfo_to_dict(dsn)
    upstream = Path(str(parts["host"])) / f".s.PGSQL.{parts.get('port') or 5432}"
    with tempfile.TemporaryDirectory(prefix="proxy-") as directory:
        proxy = LosingProxy(upstream)
        server = await asyncio.start_unix_server(proxy.accept, Path(directory) / ".s.PGSQL.5432")
        try:
            yield proxy, make_conninfo(dsn, host=directory, port=5432)
        finally:
            server.close()
            await proxy.close()
