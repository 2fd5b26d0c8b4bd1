"""The API with one more caller: one whom it knows without looking, for comparison.

All else is as `booking serve` has it. That it is one process for all callers keeps out of the
comparison whatever makes one process faster than another.
"""

import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import typer
import uvicorn
from fastapi import FastAPI

from api.app import build_app
from api.bootstrap import running_services
from api.cli.bounded_http import BoundedHttp
from api.garbage import spare_the_long_lived
from api.issuers import Issuers
from api.services import provide
from infra.access import Authenticator, Principal
from infra.access.tokens import clerk
from infra.master_key import MasterKey
from infra.telemetry.logging import configure_logging

KNOWN = "known"
"""What that caller sends instead of a key or a token."""


class KnownCaller:
    """Takes that one for whoever came last with a key or a token."""

    def __init__(self, authenticator: Authenticator) -> None:
        """Nobody has come yet.

        Args:
            authenticator: knows all others.
        """
        self._authenticator = authenticator
        self._last: Principal | None = None

    async def authenticate(self, credentials: str) -> Principal | None:
        """Finds out whom credentials speak for.

        Args:
            credentials: as the client sent them.
        """
        if credentials == KNOWN:
            return self._last
        self._last = await self._authenticator.authenticate(credentials)
        return self._last


def _app(dsn: str, issuer: str, port: int) -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        master_key = MasterKey(secrets.token_bytes(32))
        issuers = Issuers(tokens=(clerk(issuer, []),))
        async with running_services(dsn, master_key, issuers=issuers) as services:
            provide(app, replace(services, authenticator=KnownCaller(services.authenticator)))
            spare_the_long_lived()  # as `create_app` does
            typer.echo(f"listens at http://127.0.0.1:{port}")
            yield

    return build_app(lifespan)


def serve(dsn: str, issuer: str) -> None:
    """Serve on a free port until a signal says stop."""
    configure_logging("WARNING", "console")
    bound = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        _app(dsn, issuer, bound.getsockname()[1]),
        loop="uvloop",
        http=BoundedHttp,
        ws="none",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
    )
    uvicorn.Server(config).run(sockets=[bound])


if __name__ == "__main__":
    typer.run(serve)
