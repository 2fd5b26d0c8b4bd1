"""One step with one tenant: its next events into all its projections, in one transaction.

What is applied and how far that is are committed together, so each event is applied exactly once,
whatever is killed. A commit does not wait for the disk: should the server crash, rows and
checkpoints go back together, and the events are there to be applied again.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import groupby

import psycopg
import structlog
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from domain.ids import TenantId
from infra.postgres.pool import Pool
from infra.projecting.checkpoints import (
    Checkpoint,
    Checkpoints,
    advance,
    forget,
    lock_live,
    park,
    take_over,
)
from infra.projecting.clearing import clear
from infra.projecting.settings import REAL_TABLES, set_for_projecting
from infra.projecting.step_sizes import StepSizes
from infra.projecting.tail import read_page
from projections.asynchronous import Batch, Projection

log = structlog.get_logger(__name__)

EVENTS_AT_ONCE = 500
ROWS_FOR_AN_EVENT = 10
"""Rows that are cleared away in a step, for each event that it may have."""


class Stepping:
    """Takes steps with one tenant after the other."""

    def __init__(
        self, pool: Pool, projections: Collection[Projection], events_at_once: int = EVENTS_AT_ONCE
    ) -> None:
        """Keep its parts.

        Args:
            pool: connections of the role `booking_projector`.
            projections: what to project into.
            events_at_once: of a step, at most.
        """
        self._pool = pool
        self._projections: Mapping[tuple[str, int], Projection] = {
            (each.name, each.version): each for each in projections
        }
        self._tables = {each.name: each.tables for each in projections}
        self._checkpoints = Checkpoints(projections)
        self._sizes = StepSizes(events_at_once)

    async def step(self, tenant_id: TenantId) -> bool:
        """Project a tenant's next events.

        Args:
            tenant_id: whose.

        Returns:
            Whether there is more to do.

        Raises:
            psycopg.OperationalError: not now, or it was too much; nothing was done.
        """
        async with self._pool.connection() as conn:
            try:
                more = await self._step_or_park(conn, tenant_id, self._sizes.of(tenant_id))
            except (psycopg.OperationalError, psycopg.InterfaceError):
                self._sizes.failed(tenant_id)
                raise
        self._sizes.succeeded(tenant_id)
        return more

    async def _step_or_park(
        self, conn: AsyncConnection[TupleRow], tenant_id: TenantId, limit: int
    ) -> bool:
        try:
            return await self._step(conn, tenant_id, limit)
        except (psycopg.OperationalError, psycopg.InterfaceError):
            raise
        except Exception as error:  # noqa: BLE001 - whatever a projection raises is its event's
            log.warning("projection.failed", tenant_id=str(tenant_id), error=_told(error))
        return await self._step_by_step(conn, tenant_id, limit)

    async def _step(self, conn: AsyncConnection[TupleRow], tenant_id: TenantId, limit: int) -> bool:
        async with conn.transaction():
            locked = await self._lock(conn, tenant_id)
            more = [
                await self._project(conn, tenant_id, seq, [*together], limit)
                for seq, together in groupby(
                    sorted((each for each in locked if not each.superseded), key=_seq), key=_seq
                )
            ]
            more += [
                await self._clear(conn, tenant_id, each, limit * ROWS_FOR_AN_EVENT)
                for each in locked
                if each.superseded
            ]
        return any(more)

    async def _lock(
        self, conn: AsyncConnection[TupleRow], tenant_id: TenantId
    ) -> Sequence[Checkpoint]:
        await set_for_projecting(conn, REAL_TABLES)
        locked = await self._checkpoints.lock(conn, tenant_id)
        if not locked and await self._checkpoints.begin(conn, tenant_id):  # a tenant just made
            locked = await self._checkpoints.lock(conn, tenant_id)
        return locked

    async def _project(
        self,
        conn: AsyncConnection[TupleRow],
        tenant_id: TenantId,
        seq: int,
        together: Sequence[Checkpoint],
        limit: int,
    ) -> bool:
        """Project the events after `seq` into all generations that are just there."""
        applied = await self._apply(conn, tenant_id, seq, together, limit)
        if applied == limit:
            return True
        built = [checkpoint for checkpoint in together if not checkpoint.is_live]
        for checkpoint in built:
            await self._take_over(conn, tenant_id, replace(checkpoint, seq=seq + applied), limit)
        return bool(built)  # what was read until now can be cleared away

    async def _apply(
        self,
        conn: AsyncConnection[TupleRow],
        tenant_id: TenantId,
        seq: int,
        together: Sequence[Checkpoint],
        limit: int,
    ) -> int:
        events = await read_page(conn, tenant_id, seq, limit)
        if events:
            for checkpoint in together:
                projection = self._projections[checkpoint.projection, checkpoint.version]
                chosen = projection.chosen(events)
                if chosen:
                    await projection.apply(Batch(conn, tenant_id, checkpoint.generation, chosen))
            await advance(conn, tenant_id, together, events[-1].seq)
        return len(events)

    async def _take_over(
        self,
        conn: AsyncConnection[TupleRow],
        tenant_id: TenantId,
        checkpoint: Checkpoint,
        limit: int,
    ) -> None:
        """Take the place of the generation that is read, which can go no further meanwhile."""
        live = await lock_live(conn, tenant_id, checkpoint.projection)
        while live is not None and checkpoint.seq < live:
            page = min(live - checkpoint.seq, limit)
            applied = await self._apply(conn, tenant_id, checkpoint.seq, [checkpoint], page)
            checkpoint = replace(checkpoint, seq=checkpoint.seq + applied)
        await take_over(conn, tenant_id, checkpoint)
        log.info(
            "projection.took_over",
            projection=checkpoint.projection,
            tenant_id=str(tenant_id),
            generation=checkpoint.generation,
            version=checkpoint.version,
            seq=checkpoint.seq,
        )

    async def _clear(
        self,
        conn: AsyncConnection[TupleRow],
        tenant_id: TenantId,
        superseded: Checkpoint,
        rows: int,
    ) -> bool:
        tables = self._tables[superseded.projection]
        if await clear(conn, tenant_id, superseded.generation, tables, rows):
            return True
        await forget(conn, tenant_id, superseded)
        return False

    async def _step_by_step(
        self, conn: AsyncConnection[TupleRow], tenant_id: TenantId, limit: int
    ) -> bool:
        """Project into one generation at a time, so that one that fails fails alone."""
        async with conn.transaction():
            locked = await self._lock(conn, tenant_id)
        more = [
            await self._project_what_can_be(conn, tenant_id, each, limit)
            for each in locked
            if not each.superseded
        ]
        return any(more)

    async def _project_what_can_be(
        self,
        conn: AsyncConnection[TupleRow],
        tenant_id: TenantId,
        checkpoint: Checkpoint,
        limit: int,
    ) -> bool:
        """Project up to the event that cannot be applied, in halves; if that is the next, park."""
        while True:
            try:
                async with conn.transaction():
                    for mine in await self._lock(conn, tenant_id):
                        if mine == checkpoint:
                            await self._project(conn, tenant_id, mine.seq, [mine], limit)
            except (psycopg.OperationalError, psycopg.InterfaceError):
                raise
            except Exception as error:
                if limit > 1:
                    limit //= 2
                    continue
                seq, told = checkpoint.seq + 1, _told(error)
                await park(conn, tenant_id, checkpoint, seq=seq, error=told)
                log.exception(
                    "projection.parked",
                    projection=checkpoint.projection,
                    tenant_id=str(tenant_id),
                    seq=seq,
                    error=told,
                )
                return False
            return True


def _seq(checkpoint: Checkpoint) -> int:
    return checkpoint.seq


def _told(error: BaseException) -> str:
    """Say what went wrong without what an event says, which other messages may repeat."""
    if isinstance(error, psycopg.Error):
        return f"{type(error).__name__} {error.sqlstate}: {error.diag.message_primary}"
    if isinstance(error, LookupError):
        return f"{type(error).__name__}: {error}"[:500]
    return type(error).__name__
