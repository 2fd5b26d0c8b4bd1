"""Puts an engine together from its parts, and takes it apart again in good order."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic_core import to_json

from domain.booking_events import HoldLapsed
from domain.ids import TenantId
from domain.mapper import EventMapper
from infra.customer_vault import CustomerVault
from infra.engine.engine import BookingEngine
from infra.engine.forgetting import CustomerForgetter
from infra.engine.loading import StreamLoader
from infra.engine.trail import AuditTrail
from infra.forgotten_keys import heard_by
from infra.log.announcing import Announcer
from infra.log.append import NO_CEILINGS, HoldCeilings
from infra.log.commit_queue import CommitQueue, QueueLimits, QueueObserver
from infra.log.door import PostgresDoor
from infra.master_key import MasterKey
from infra.pacing import Rounds
from infra.postgres.pool import Pool, Waits, open_pool
from infra.refusals.refusal import TellRefused
from infra.usage.counting_door import Appended, CountingDoor
from infra.wrapped_secrets import InstallationSecrets, open_secrets

LAPSE = to_json({"topic": HoldLapsed.TOPIC, "state": "{}"})
"""The event for a hold that gives way to whoever needs its slot; it has no facts of its own."""


@dataclass(frozen=True, slots=True)
class RunningEngine:
    """An engine with the parts that others share.

    Attributes:
        engine: takes commands and queries.
        forgetter: forgets customers.
        trail: reads what happened.
        queue: between them and the log.
        rounds: shared by all that takes long in this process.
        pool: connections as `booking_api`, for the read models' queries.
        vault: opens personal data.
        secrets: those of the installation.
    """

    engine: BookingEngine
    forgetter: CustomerForgetter
    trail: AuditTrail
    queue: CommitQueue
    rounds: Rounds
    pool: Pool
    vault: CustomerVault
    secrets: InstallationSecrets


@asynccontextmanager
async def running_engine(
    runtime_dsn: str,
    master_key: MasterKey,
    observer: QueueObserver,
    *,
    limits: QueueLimits | None = None,
    waits: Waits | None = None,
    connections: int = 10,
    ceilings: HoldCeilings = NO_CEILINGS,
    appended: Appended = lambda _tenant_id, _events, _last: None,
    refused: TellRefused = lambda _tenant_id, _refused: None,
    forgotten: Callable[[TenantId], None] = lambda _tenant_id: None,
) -> AsyncIterator[RunningEngine]:
    """Runs an engine. On leaving, what waits in its queue is committed and answered first.

    Args:
        runtime_dsn: of a login that may become `booking_api` and `booking_background`.
        master_key: wraps the keys that seal personal data, and the installation's secrets.
        observer: is told what the queue does.
        limits: of the queue.
        waits: of the connections.
        connections: how many at most; those of the queue's flights among them.
        ceilings: how many holds may be open, where nothing else is said of a tenant.
        appended: is told of events that were appended.
        refused: is told of what a rule of the domain refused.
        forgotten: is told whose customer was forgotten, here or by another process.

    Raises:
        RoleUnsafe: as that role the database would not keep tenants apart.
        WrongMasterKey: something is wrapped under a master key that is not at hand.
        psycopg.OperationalError: the server cannot be reached.
    """
    pool = await open_pool(
        runtime_dsn,
        role="booking_api",
        min_size=2,
        max_size=connections,
        waits=waits,
    )
    try:
        secrets = await asyncio.to_thread(open_secrets, runtime_dsn, master_key)
        announcer = Announcer(pool)

        def told(tenant_id: TenantId, events: int, last: int) -> None:
            announcer.appended(tenant_id)
            appended(tenant_id, events, last)

        door = CountingDoor(PostgresDoor(pool, LAPSE), told)
        queue = CommitQueue(door, observer, time.monotonic, limits)
        vault = CustomerVault(pool, master_key, secrets, time.monotonic)
        mapper = EventMapper()
        loader = StreamLoader(pool, mapper)
        rounds = Rounds()
        engine = BookingEngine(
            loader, queue, vault, mapper, lambda: datetime.now(UTC), rounds, ceilings, refused
        )
        forgetter = CustomerForgetter(pool, queue, vault, mapper, lambda: datetime.now(UTC))
        trail = AuditTrail(pool, mapper, rounds)
        async with announcer.running(), heard_by(vault, runtime_dsn, forgotten):
            yield RunningEngine(engine, forgetter, trail, queue, rounds, pool, vault, secrets)
            await queue.close()
    finally:
        await pool.close()
