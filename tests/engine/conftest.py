"""A running engine on real PostgreSQL, with a tenant, and short ways to say what it is asked."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import UUID

import psycopg
import pytest

from domain.booking import Booking
from domain.commands import Book, RegisterResource
from domain.customer import Customer
from domain.ids import BookingId, ResourceId, TenantId
from domain.period import Period
from domain.status import ClaimStatus
from infra.access import create_tenant
from infra.database import Database
from infra.engine import (
    Accepted,
    BookingEngine,
    Caller,
    Command,
    CommandRequest,
    IdempotencyKey,
    RunningEngine,
    running_engine,
)
from infra.identity import new_id
from infra.log.announcing import PAUSE_SECONDS
from infra.log.reader import RecordedEvent
from infra.master_key import MasterKey
from infra.telemetry.metrics import Metrics
from tests.whole_log import proven_log

NINE = datetime(2027, 3, 1, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)


@dataclass
class Studio:
    """One tenant's view of a running engine."""

    engine: BookingEngine
    tenant_id: TenantId
    owner_dsn: str
    requests: Iterator[int] = field(default_factory=lambda: count(1))

    @property
    def caller(self) -> Caller:
        return Caller(self.tenant_id, "key-1", f"request-{next(self.requests)}")

    async def resource(self, name: str = "Stage 1") -> ResourceId:
        resource_id = ResourceId(new_id())
        await self.accepted(
            RegisterResource(
                resource_id=resource_id, name=name, kind="stage", timezone="UTC", attributes={}
            )
        )
        return resource_id

    async def settled(self) -> None:
        """Wait until what was appended is announced, which takes a connection of its own."""
        await asyncio.sleep(5 * PAUSE_SECONDS)

    async def accepted(self, command: Command) -> Accepted:
        result = await self.engine.execute(self.caller, CommandRequest(command))
        assert isinstance(result, Accepted), result
        return result

    async def booked(self, command: Book) -> Booking:
        accepted = await self.accepted(command)
        assert isinstance(accepted.aggregate, Booking)
        return accepted.aggregate

    def reservations(self) -> set[tuple[UUID, UUID, datetime, datetime, str]]:
        with psycopg.connect(self.owner_dsn) as conn:
            return set(
                conn.execute(
                    """
                    select resource_id, booking_id, start_time, end_time, status
                      from booking.reservation
                     where tenant_id = %s
                    """,
                    [self.tenant_id],
                )
            )

    def log(self) -> list[RecordedEvent]:
        """The whole log; each reading proves its chain."""
        return proven_log(self.owner_dsn, self.tenant_id)

    def topics(self) -> list[str]:
        return [event.topic for event in self.log()]


def book(
    *resources: ResourceId,
    start: datetime = NINE,
    hours: float = 1,
    status: ClaimStatus = "confirmed",
    hold_expires_at: datetime | None = None,
    title: str = "Pilot",
    customer: Customer | None = None,
) -> Book:
    return Book(
        booking_id=BookingId(new_id()),
        resource_ids=resources,
        period=Period(start, start + hours * HOUR),
        status=status,
        hold_expires_at=hold_expires_at,
        title=title,
        customer=customer,
        notes=None,
        reference=None,
        attributes={},
    )


def keyed(command: Command, key: str, fingerprint: str = "same") -> CommandRequest:
    return CommandRequest(command, IdempotencyKey(key, fingerprint))


@pytest.fixture
def master_key() -> MasterKey:
    return MasterKey(secrets.token_bytes(32))


@pytest.fixture
async def running(database: Database, master_key: MasterKey) -> AsyncIterator[RunningEngine]:
    async with running_engine(database.runtime_dsn, master_key, Metrics()) as engine:
        yield engine


def make_tenant(database: Database, slug: str) -> TenantId:
    with psycopg.connect(database.owner_dsn, autocommit=True) as conn:
        return create_tenant(conn, slug, slug.title())


@pytest.fixture
async def studio(running: RunningEngine, database: Database) -> Studio:
    return Studio(running.engine, make_tenant(database, "studio"), database.owner_dsn)
