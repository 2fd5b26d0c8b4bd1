"""Two master keys, and a log whose customers' keys are wrapped under the first."""

import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from uuid import UUID

import psycopg
import pytest
from psycopg import Connection
from psycopg.rows import TupleRow

from domain.booking import Booking
from domain.customer import Customer
from domain.ids import BookingId, ResourceId, TenantId
from infra.database import Database
from infra.engine import RunningEngine, running_engine
from infra.master_key import MasterKey
from infra.rewrapping import wrapped_under
from infra.telemetry.metrics import Metrics
from tests.engine.conftest import HOUR, NINE, Studio, book, make_tenant

FIRST, SECOND = secrets.token_bytes(32), secrets.token_bytes(32)
OLD, NEW = MasterKey(FIRST), MasterKey(SECOND)
OLD_OF_BOTH, NEW_OF_BOTH = MasterKey(FIRST, [SECOND]), MasterKey(SECOND, [FIRST])

Process = Callable[[MasterKey], AbstractAsyncContextManager[RunningEngine]]


@dataclass
class Ledger:
    """What was booked for whom, and where all of it is.

    Attributes:
        database: the database.
        tenant_id: the studio.
        stage: what is booked.
        customers: whom each booking is for.
    """

    database: Database
    tenant_id: TenantId
    stage: ResourceId
    customers: dict[BookingId, Customer] = field(default_factory=dict)

    async def book(self, running: RunningEngine, person: str) -> Booking:
        """Book the next free hour for somebody."""
        customer, hour = Customer(person, name=f"Name of {person}"), len(self.customers)
        wanted = book(self.stage, start=NINE + hour * HOUR, customer=customer)
        self.customers[wanted.booking_id] = customer
        return await self.studio(running).booked(wanted)

    def studio(self, running: RunningEngine) -> Studio:
        return Studio(running.engine, self.tenant_id, self.database.owner_dsn)

    async def read(self, running: RunningEngine) -> dict[BookingId, Customer | None]:
        """Whom a process says that the bookings are for."""
        return {
            booking_id: found.customer
            for booking_id in self.customers
            if (found := await running.engine.booking(self.tenant_id, booking_id)) is not None
        }

    def keys(self) -> dict[UUID, bytes]:
        """The keys of customers that are kept, and the master keys that they name."""
        with psycopg.connect(self.database.owner_dsn) as owner:
            rows = owner.execute("select key_id, master_key_id from booking.customer_key")
            return {key_id: bytes(master_key_id) for key_id, master_key_id in rows}

    def under(self) -> dict[bytes, tuple[int, int]]:
        """How many keys and secrets are wrapped under which master key."""
        with self.owner() as owner:
            return {
                each.master_key_id: (each.customer_keys, each.secrets)
                for each in wrapped_under(owner)
            }

    @contextmanager
    def owner(self) -> Iterator[Connection[TupleRow]]:
        with psycopg.connect(self.database.owner_dsn, autocommit=True) as conn:
            yield conn


@pytest.fixture
def process(database: Database) -> Process:
    """A process of the engine, with the master keys that it is given."""

    @asynccontextmanager
    async def process(master_key: MasterKey) -> AsyncIterator[RunningEngine]:
        async with running_engine(
            database.runtime_dsn, master_key, Metrics(), connections=4
        ) as running:
            yield running

    return process


@pytest.fixture
async def ledger(database: Database, process: Process) -> Ledger:
    """Six bookings for three persons, made while the first master key was the only one."""
    tenant_id = make_tenant(database, "studio")
    async with process(OLD) as running:
        stage = await Studio(running.engine, tenant_id, database.owner_dsn).resource()
        ledger = Ledger(database, tenant_id, stage)
        for nth in range(6):
            await ledger.book(running, f"person-{nth % 3}")
    return ledger


def as_before_keys_were_named(ledger: Ledger) -> None:
    """Have the database as it was before it knew of master keys' names."""
    with ledger.owner() as owner:
        owner.execute("update booking.customer_key set master_key_id = ''")
        owner.execute("delete from booking.wrapped_secret")
