"""What this API is compared with: plain CRUD, and endpoints that only validate, or only answer.

All carry the product's own middleware, authentication, form and answer, on the same server with
the same options as `booking serve`, so that what differs is how a booking is stored.
"""

import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID

import typer
import uvicorn
from fastapi import FastAPI, Request, Response
from psycopg.errors import ExclusionViolation
from psycopg.types.json import Jsonb
from pydantic_core import to_json

from api.admission import Admission
from api.call import Call, call_of
from api.cli.bounded_http import BoundedHttp
from api.cors import Cors
from api.draining import Draining
from api.garbage import spare_the_long_lived
from api.middleware import FrontDoor
from api.operator import OperatorToken
from api.schemas.booking_forms import BookForm
from infra.access import ApiKeys, Authenticator, BearerAuthenticator
from infra.identity import new_id
from infra.limits import Limiter, LimitsOfTenants
from infra.limits.of_tenants import DefaultLimits
from infra.postgres.pool import Pool, open_pool
from infra.settings import REQUESTS_AT_ONCE
from infra.telemetry.logging import configure_logging
from infra.telemetry.metrics import Metrics
from infra.usage import Counting
from scripts.benchmarks.requests import CLAIMS

_INSERT_BOOKING = """
    INSERT INTO plain.booking (tenant_id, booking_id, status, title, resource_ids, start_time,
                               end_time, hold_expires_at, customer, notes, reference, attributes,
                               created_at)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""
_INSERT_RESERVATIONS = """
    INSERT INTO plain.reservation (tenant_id, resource_id, booking_id, start_time, end_time,
                                   status, hold_expires_at)
    SELECT %s, resource_id, %s, %s, %s, %s, %s FROM unnest(%s::uuid[]) AS resource_id
"""
_INSERT_AUDIT = """
    INSERT INTO plain.audit (tenant_id, booking_id, action, actor, request_id, details)
    VALUES (%s, %s, 'booked', %s, %s, %s)
"""


_CLAIM = (
    b'{"resource_id":"01a213f1-9b61-7333-8e74-2f9f2cbd4f11",'
    b'"booking_id":"01a213f1-9b61-7333-8e74-2f9f2cbd4f11","start_time":"2030-01-01T09:00:00Z",'
    b'"end_time":"2030-01-01T10:00:00Z","status":"confirmed","hold_expires_at":null}'
)
_CALENDAR = b'{"items":[%s],"next_cursor":null}' % b",".join([_CLAIM] * CLAIMS)
_CALENDAR_HEADERS = {"Event-Position": "1", "ETag": '"0c1d5b7e9f3a48d2a6b4c8e0f1d2b3a4"'}


class Peer(StrEnum):
    """Which of them."""

    VALIDATE_ONLY = "validate-only"
    PLAIN_CRUD = "plain-crud"
    ANSWER_ONLY = "answer-only"


@dataclass(frozen=True)
class _Services:
    """As much of `api.services.Services` as the middleware asks for, and the pool."""

    authenticator: Authenticator
    metrics: Metrics
    pool: Pool
    admission: Admission
    limiter: Limiter
    draining: Draining = field(default_factory=Draining)
    usage: Counting = field(default_factory=Counting)
    operator: OperatorToken = field(default_factory=lambda: OperatorToken(None))
    cors: Cors = field(default_factory=lambda: Cors(()))

    def admission_to(self, _path: str) -> Admission:
        return self.admission


async def _answer_only(_request: Request) -> Response:
    return Response(_CALENDAR, headers=_CALENDAR_HEADERS, media_type="application/json")


async def _validate_only(_request: Request, form: BookForm) -> Response:
    return _booked(new_id(), form, datetime.now(UTC))


async def _plain_crud(request: Request, form: BookForm) -> Response:
    services: _Services = request.app.state.services
    booking_id, now = new_id(), datetime.now(UTC)
    try:
        await _insert(services.pool, call_of(request.scope), booking_id, form, now)
    except ExclusionViolation:
        return Response(b'{"title":"booking-conflict"}', 409, media_type="application/json")
    return _booked(booking_id, form, now)


async def _insert(pool: Pool, call: Call, booking_id: UUID, form: BookForm, now: datetime) -> None:
    who = call.authenticated
    period = (form.start_time, form.end_time)
    customer = None if form.customer is None else Jsonb(form.customer.model_dump())
    written = (form.notes, form.reference, Jsonb(form.attributes))
    booking = (form.status, form.title, list(form.resource_ids), *period, form.hold_expires_at)
    claim = (*period, form.status, form.hold_expires_at, list(form.resource_ids))
    details = Jsonb(form.model_dump(mode="json"))
    async with pool.connection() as conn, conn.transaction():
        await conn.execute(
            _INSERT_BOOKING, (who.tenant_id, booking_id, *booking, customer, *written, now)
        )
        await conn.execute(_INSERT_RESERVATIONS, (who.tenant_id, booking_id, *claim))
        await conn.execute(
            _INSERT_AUDIT,
            (who.tenant_id, booking_id, who.actor, call.request_id, details),
        )


def _booked(booking_id: UUID, form: BookForm, now: datetime) -> Response:
    body = {
        "id": booking_id,
        "status": form.status,
        "title": form.title,
        "resource_ids": form.resource_ids,
        "start_time": form.start_time,
        "end_time": form.end_time,
        "hold_expires_at": form.hold_expires_at,
        "customer": form.customer,
        "notes": form.notes,
        "reference": form.reference,
        "attributes": form.attributes,
        "version": 1,
        "created_at": now,
        "updated_at": now,
    }
    headers = {"ETag": '"1"', "Location": f"/v1/bookings/{booking_id}"}
    return Response(to_json(body), 201, headers, "application/json")


def _app(peer: Peer, dsn: str, connections: int, announce: Callable[[], None]) -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        pool = await open_pool(dsn, role="booking_api", max_size=connections)
        app.state.services = _Services(
            authenticator=BearerAuthenticator(ApiKeys(pool), {}),
            metrics=Metrics(),
            pool=pool,
            admission=Admission(REQUESTS_AT_ONCE),
            limiter=Limiter(LimitsOfTenants(pool, DefaultLimits(), time.monotonic), time.monotonic),
        )
        spare_the_long_lived()  # as `create_app` does
        announce()
        yield
        await pool.close()

    app = FastAPI(lifespan=lifespan, telemetry={"tracing": False, "metrics": False, "logs": False})
    if peer is Peer.ANSWER_ONLY:
        app.add_api_route("/v1/resources/{resource_id}/calendar", _answer_only, methods=["GET"])
    else:
        endpoint = _plain_crud if peer is Peer.PLAIN_CRUD else _validate_only
        app.add_api_route("/v1/bookings", endpoint, methods=["POST"])
    app.add_middleware(FrontDoor)
    return app


def serve(peer: Peer, dsn: str, connections: int) -> None:
    """Serve one of them on a free port until a signal says stop."""
    configure_logging("WARNING", "console")
    bound = socket.create_server(("127.0.0.1", 0))
    port = bound.getsockname()[1]
    app = _app(peer, dsn, connections, lambda: typer.echo(f"listens at http://127.0.0.1:{port}"))
    config = uvicorn.Config(
        app,
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
