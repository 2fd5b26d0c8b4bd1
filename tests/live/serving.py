"""A server with sockets, in the test's own process and event loop, and studios that use it."""

import asyncio
import gc
import secrets
import socket
import warnings
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import httpx
import psycopg
import pytest
import uvicorn

from api.app import build_app
from api.bootstrap import running_services
from api.cli.bounded_http import BoundedHttp
from api.cli.server import socket_bounds
from api.guards import Guards
from api.issuers import Issuers
from api.live.socket import Socket
from api.live.sockets import LiveSockets
from api.services import Services, provide
from domain.ids import TenantId
from infra.access import ROLES, Role, create_api_key, create_tenant
from infra.database import Database
from infra.master_key import MasterKey

IN_THE_LOOP_OF_THE_MODULE = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.on_one_postgres,
    # Of python-socketio's client, where the server ends a connection.
    pytest.mark.filterwarnings("ignore:Unclosed connection:ResourceWarning"),
]
FIRST_HOUR = datetime(2027, 3, 1, tzinfo=UTC)
MASTER_KEY_BYTES = secrets.token_bytes(32)
MASTER_KEY = MasterKey(MASTER_KEY_BYTES)
_SLUGS = count(1)


@dataclass
class LiveStudio:
    """One tenant, and how it books."""

    tenant_id: TenantId
    slug: str
    keys: dict[Role, str]
    client: httpx.AsyncClient
    hours: dict[str, "count[int]"] = field(default_factory=dict)

    async def resource(self, name: str = "Stage") -> str:
        body = {"name": name, "kind": "stage", "timezone": "UTC"}
        answer = await self.client.post("/v1/resources", json=body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def book(
        self, *resource_ids: str, at: int | None = None, title: str = "Pilot"
    ) -> dict[str, Any]:
        """The next free hour of the first of the resources, unless it is said which."""
        hour = next(self.hours.setdefault(resource_ids[0], count())) if at is None else at
        answer = await self.try_to_book(*resource_ids, at=hour, title=title)
        assert answer.status_code == 201, answer.text
        booked: dict[str, Any] = answer.json()
        return booked

    async def book_many(self, resource_id: str, times: int) -> None:
        """Likewise, in few requests."""
        hours = self.hours.setdefault(resource_id, count())
        commands = [
            {"type": "book", **_new_booking([resource_id], next(hours))} for _ in range(times)
        ]
        for place in range(0, times, 500):
            body = {"commands": commands[place : place + 500], "atomic": False}
            answer = await self.client.post("/v1/commands", json=body)
            assert all(each["status"] == 201 for each in answer.json()["results"]), answer.text

    @asynccontextmanager
    async def other_client(self, address: str, role: Role) -> AsyncIterator[httpx.AsyncClient]:
        """Whoever has the key of a role, at some server."""
        headers = {"Authorization": f"Bearer {self.keys[role]}"}
        async with httpx.AsyncClient(base_url=address, headers=headers) as client:
            yield client

    async def try_to_book(
        self,
        *resource_ids: str,
        at: int,
        client: httpx.AsyncClient | None = None,
        title: str = "Pilot",
    ) -> httpx.Response:
        return await (client or self.client).post(
            "/v1/bookings", json={**_new_booking(resource_ids, at), "title": title}
        )


def _new_booking(resource_ids: Sequence[str], hour: int) -> dict[str, object]:
    start = FIRST_HOUR + timedelta(hours=hour)
    return {
        "resource_ids": resource_ids,
        "start_time": start.isoformat(),
        "end_time": (start + timedelta(minutes=59)).isoformat(),
        "title": "Pilot",
        "status": "confirmed",
    }


@dataclass
class Served:
    """A running server."""

    address: str
    services: Services
    database: Database
    server: uvicorn.Server
    redis_url: str = ""

    @property
    def sockets(self) -> LiveSockets:
        return self.services.door._sockets

    def socket_of(self, studio: "LiveStudio") -> Socket:
        """The one socket that a studio has."""
        (found,) = [
            socket
            for socket in self.sockets._sockets.values()
            if socket.guest and socket.guest.principal.tenant_id == studio.tenant_id
        ]
        return found

    @asynccontextmanager
    async def studio(self) -> AsyncIterator[LiveStudio]:
        slug = f"studio-{next(_SLUGS)}"
        with psycopg.connect(self.database.owner_dsn) as conn:
            tenant_id = create_tenant(conn, slug, slug.title())
            keys = {role: create_api_key(conn, slug, role) for role in ROLES}
        headers = {"Authorization": f"Bearer {keys['admin']}"}
        async with httpx.AsyncClient(base_url=self.address, headers=headers) as client:
            yield LiveStudio(tenant_id, slug, keys, client)


@asynccontextmanager
async def served(
    database: Database,
    guards: Guards | None = None,
    issuers: Issuers | None = None,
) -> AsyncIterator[Served]:
    """A server for as long as it is needed."""
    door = socket.create_server(("127.0.0.1", 0))
    async with running_services(
        database.runtime_dsn, MASTER_KEY, connections=6, guards=guards, issuers=issuers
    ) as services:
        app = build_app()
        provide(app, services)
        config = uvicorn.Config(
            app, http=BoundedHttp, log_config=None, lifespan="off", **socket_bounds()
        )
        server = uvicorn.Server(config)
        setattr(server, "capture_signals", nullcontext)  # noqa: B010 - signals are the test's
        serving = asyncio.create_task(server.serve(sockets=[door]))
        async with httpx.AsyncClient() as knocking:  # the door is open, and answers when it can
            address = f"http://127.0.0.1:{door.getsockname()[1]}"
            await knocking.get(f"{address}/livez")
        try:
            redis_url = (guards and guards.redis_url) or ""
            yield Served(address, services, database, server, redis_url)
        finally:
            services.draining._end_what_lasts()
            server.should_exit = True
            await serving
            with warnings.catch_warnings():  # the clients' library leaves connections open
                warnings.simplefilter("ignore", ResourceWarning)
                gc.collect()
