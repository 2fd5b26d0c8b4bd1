"""Engines as processes run them, driven from a test that is itself no coroutine."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import psycopg

from domain.claims import Claim
from domain.ids import TenantId
from infra.database import Database
from infra.engine import BookingEngine, RunningEngine, running_engine
from infra.master_key import MasterKey
from infra.telemetry.metrics import Metrics


@dataclass
class Process:
    """An engine that can end and begin anew, by a clock of its own."""

    runner: asyncio.Runner
    database: Database
    master_key: MasterKey
    clock: datetime
    _life: AsyncExitStack = field(init=False)
    _running: RunningEngine = field(init=False)

    @property
    def engine(self) -> BookingEngine:
        return self._running.engine

    def begin(self) -> None:
        self._life = AsyncExitStack()
        life = running_engine(self.database.runtime_dsn, self.master_key, Metrics())
        self._running = self.runner.run(self._life.enter_async_context(life))
        self.engine._clock = lambda: self.clock

    def end(self) -> None:
        self.runner.run(self._life.aclose())


@dataclass(frozen=True)
class World:
    """A database, the processes that work with it, and its owner's look at it."""

    runner: asyncio.Runner
    owner_dsn: str
    owner: psycopg.Connection
    processes: Sequence[Process]

    def set_clock(self, tenant_id: TenantId, now: datetime) -> None:
        """Sets a tenant's clock forward: it goes by its last event, if that is later than now."""
        self.owner.execute(
            "update booking.tenant_head set recorded_at = %s where tenant_id = %s",
            [now, tenant_id],
        )

    def reservations(self, tenant_id: TenantId) -> set[Claim]:
        rows = self.owner.execute(
            """
            select resource_id, booking_id, start_time, end_time, status, hold_expires_at
              from booking.reservation
             where tenant_id = %s
            """,
            [tenant_id],
        )
        return {Claim(*row) for row in rows}

    def open_holds(self, tenant_id: TenantId) -> dict[UUID, datetime | None]:
        """The open holds, and when they lapse."""
        rows = self.owner.execute(
            "select booking_id, hold_expires_at from booking.open_hold where tenant_id = %s",
            [tenant_id],
        )
        return dict(rows.fetchall())


@contextmanager
def world(database: Database, master_key: MasterKey, clocks: Sequence[datetime]) -> Iterator[World]:
    """Runs a process for each clock."""
    with (
        asyncio.Runner() as runner,
        psycopg.connect(database.owner_dsn, autocommit=True, options="-c timezone=UTC") as owner,
    ):
        processes = [Process(runner, database, master_key, clock) for clock in clocks]
        for process in processes:
            process.begin()
        yield World(runner, database.owner_dsn, owner, processes)
        for process in processes:
            process.end()
