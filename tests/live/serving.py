"""A server with sockets, in the test's own process and event loop, and studios that use it."""

import asyncio
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import httpx
import psycopg
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

DAY = "2027-03-01"
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
        self, *resource_ids: str, at: int | None = None, **more: object
    ) -> dict[str, Any]:
        """The next free hour of the first of the resources, unless it is said which."""
        hour = next(self.hours.setdefault(resource_ids[0], count())) if at is None else at
        answer = await self.try_to_book(*resource_ids, at=hour, **more)
        assert answer.status_code == 201, answer.text
        booked: dict[str, Any] = answer.json()
        return booked

    async def try_to_book(self, *resource_ids: str, at: int, **more: object) -> httpx.Response:
        day, hour = divmod(at, 24)
        return await self.client.post(
            "/v1/bookings",
            json={
                "resource_ids": resource_ids,
                "start_time": f"2027-{3 + day // 28:02}-{1 + day % 28:02}T{hour:02}:00:00Z",
                "end_time": f"2027-{3 + day // 28:02}-{1 + day % 28:02}T{hour:02}:59:00Z",
                "title": "Pilot",
                "status": "confirmed",
                **more,
            },
        )


@dataclass
class Served:
    """A running server."""

    address: str
    services: Services
    database: Database
    server: uvicorn.Server

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
    master_key: MasterKey | None = None,
    issuers: Issuers | None = None,
) -> AsyncIterator[Served]:
    """A server for as long as it is needed."""
    door = socket.create_server(("127.0.0.1", 0))
    key = master_key or MasterKey(secrets.token_bytes(32))
    async with running_services(
        database.runtime_dsn, key, connections=6, guards=guards, issuers=issuers
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
            yield Served(address, services, database, server)
        finally:
            services.draining._end_what_lasts()
            server.should_exit = True
            await serving
