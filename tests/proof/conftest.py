"""A log with a bit of everything in it, signed twice on the way, and ways to tamper with it.

The log is made once, by an engine. Each test tampers as the superuser, with triggers and row-level
security out of the way, in a transaction that is taken back.
"""

import asyncio
import io
from collections.abc import AsyncIterator, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import LiteralString
from uuid import UUID

import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from domain.commands import Amend, Cancel, Confirm, RegisterResource, Reschedule
from domain.customer import Customer
from domain.ids import BookingId, ResourceId, TenantId
from infra.database import Database
from infra.engine import CommandRequest, running_engine
from infra.log.hash_chain import ChainedEvent, chained_hash
from infra.master_key import MasterKey
from infra.postgres.embedded import SUPERUSER
from infra.postgres.pool import open_pool
from infra.projecting import ProjectionRunner
from infra.proof.checking import Checked, check_export
from infra.proof.checkpoints import select_checkpoints, sign_heads
from infra.proof.exporting import export_log
from infra.proof.findings import Findings
from infra.proof.notes import SignedCheckpoint, SigningKey
from infra.proof.reading import log_in_parts
from infra.proof.trust import TrustedKeys
from infra.proof.verifying import Verified, verify
from infra.rebuilding import Tenant, owner_session
from infra.telemetry.metrics import Metrics
from projections.catalogue import ASYNCHRONOUS
from tests.conftest import Server, fresh_database
from tests.engine.conftest import HOUR, NINE, Studio, book, make_tenant

KEY = SigningKey(bytes(range(32)))
KEYS = TrustedKeys((KEY.public,))
MASTER_KEY = MasterKey(bytes(32))
STAGE, CAMERA = ResourceId(UUID(int=0xA1)), ResourceId(UUID(int=0xA2))
B1, B2 = BookingId(UUID(int=0xB1)), BookingId(UUID(int=0xB2))
OTHER_TENANT = TenantId(UUID(int=0xFF))
EVENTS = 10
"""In the log: STAGE, CAMERA, B1 booked, B2 held, B2 confirmed, | B1 amended, B1 and B2 swapped, B1
cancelled, one more booked. The line is where it was signed first."""
SIGNED_FIRST = 5


@dataclass(frozen=True)
class Log:
    """Where it is, and what was signed of it."""

    database: Database
    superuser_dsn: str
    tenant: Tenant
    first: SignedCheckpoint
    last: SignedCheckpoint


@dataclass
class Scene:
    """The log in a transaction of the superuser's, to tamper with."""

    conn: AsyncConnection[TupleRow]
    log: Log

    @property
    def tenant_id(self) -> TenantId:
        return self.log.tenant.tenant_id

    async def do(self, *statements: LiteralString) -> None:
        names = {"tenant": self.tenant_id, "other": OTHER_TENANT, "stage": STAGE, "b1": B1}
        for statement in statements:
            await self.conn.execute(statement, names)

    async def events(self) -> list[ChainedEvent]:
        parts = [part async for part in log_in_parts(self.conn, self.tenant_id, 0, 1000)]
        return [event for part in parts for event in part]

    async def rehash(self, *, head: bool = True) -> None:
        """Compute the whole chain anew, as a forger would who knows how."""
        previous = b""
        for event in await self.events():
            previous = chained_hash(previous, self.tenant_id.bytes, event)
            await self.conn.execute(
                "update booking.event set hash = %s where tenant_id = %s and seq = %s",
                [previous, self.tenant_id, event.seq],
            )
        if head:
            await self.do(
                """
                update booking.tenant_head
                   set (seq, hash, recorded_at) = (select seq, hash, recorded_at
                                                     from booking.event
                                                    where tenant_id = %(tenant)s
                                                    order by seq desc
                                                    limit 1)
                 where tenant_id = %(tenant)s
                """
            )

    async def verified(self) -> Verified:
        return await verify(self.conn, self.log.tenant, KEYS, comparers=())

    async def exported(self) -> bytes:
        out = io.BytesIO()
        await export_log(self.conn, self.log.tenant, KEYS, out)
        return out.getvalue()


def checked(export: bytes, *kept: SignedCheckpoint) -> Checked:
    return check_export(io.BytesIO(export), KEYS, kept)


def found(findings: Findings) -> set[tuple[int | None, str]]:
    """Where, and of which kind."""
    return {(finding.position, finding.problem.value) for finding in findings}


@pytest.fixture(scope="package")
def log(server: Server) -> Iterator[Log]:
    with fresh_database(server) as database:
        tenant = Tenant(make_tenant(database, "studio"), "studio")
        first, last = asyncio.run(_written(database, tenant))
        name = database.owner_dsn.rpartition("dbname=")[2].split()[0]
        dsn = server.postgres.dsn(SUPERUSER, database=name)
        yield Log(database, dsn, tenant, first, last)


@pytest.fixture
async def scene(log: Log) -> AsyncIterator[Scene]:
    async with await AsyncConnection.connect(log.superuser_dsn) as conn:
        await conn.execute("set session_replication_role = replica")
        yield Scene(conn, log)
        await conn.rollback()


async def _written(database: Database, tenant: Tenant) -> tuple[SignedCheckpoint, SignedCheckpoint]:
    async with running_engine(database.runtime_dsn, MASTER_KEY, Metrics()) as running:
        studio = Studio(running.engine, tenant.tenant_id, database.owner_dsn)
        for resource_id, name in ((STAGE, "Stage 1"), (CAMERA, "Camera")):
            await studio.accepted(
                RegisterResource(
                    resource_id=resource_id, name=name, kind="x", timezone="UTC", attributes={}
                )
            )
        ada = Customer(id="ada", name="Ada")
        await studio.booked(replace(book(STAGE, customer=ada), booking_id=B1))
        held = book(STAGE, CAMERA, start=NINE + 2 * HOUR, status="held")
        await studio.booked(replace(held, booking_id=B2))
        await studio.accepted(Confirm(booking_id=B2, reason="Signed"))
        first = await _signed(database, tenant)
        await studio.accepted(Amend(booking_id=B1, changes={"title": "Finale"}))
        swap = [
            Reschedule(booking_id=one, start_time=to, end_time=to + HOUR, resource_ids=None)
            for one, to in ((B1, NINE + 2 * HOUR), (B2, NINE))
        ]
        await running.engine.execute_atomic(studio.caller, [CommandRequest(each) for each in swap])
        await studio.accepted(Cancel(booking_id=B1, reason="Rain"))
        await studio.booked(book(STAGE, start=NINE + 4 * HOUR))
        await studio.settled()
    pool = await open_pool(database.runtime_dsn, role="booking_projector", max_size=3)
    await ProjectionRunner(pool, ASYNCHRONOUS).catch_up()
    await pool.close()
    return first, await _signed(database, tenant)


async def _signed(database: Database, tenant: Tenant) -> SignedCheckpoint:
    async with owner_session(database.owner_dsn) as conn:
        await sign_heads(lambda: nullcontext(conn), KEY)
        [kept] = await select_checkpoints(conn, tenant.tenant_id, limit=1)
        return kept.signed
