"""What has to happen without anybody asking: holds lapse, ends of logs are signed, old things go.

Any number of schedulers may run. Two that find the same hold are told apart by its version: the
second is told that it can no longer lapse, which is as good. Two that sign the same end of a log
sign the same.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

import psycopg
import structlog

from domain.commands import Lapse
from domain.ids import BookingId, TenantId
from infra.ending import run_together
from infra.engine import Accepted, BookingEngine, Caller, CommandRequest
from infra.identity import new_id
from infra.people.deliveries import purge_deliveries
from infra.postgres.pool import Pool
from infra.proof.checkpoints import sign_heads
from infra.proof.notes import SigningKey
from infra.refusals import purge_refusals
from infra.settings import CHECKPOINT_SECONDS

log = structlog.get_logger(__name__)

ACTOR = "scheduler"
RECEIPTS_KEPT = timedelta(hours=25)
"""Somewhat longer than `append_commands` honours them, so that none goes while it counts."""

_HOLDS_AT_ONCE = 500
_RECEIPTS_AT_ONCE = 5000
_LOOKS_AN_INTERVAL = 4
"""How often logs are looked at that may be due to be signed: at most a fourth of it too late."""


@dataclass(frozen=True, slots=True)
class Intervals:
    """How often the scheduler looks.

    Attributes:
        lapse_seconds: between two looks for holds past their expiry.
        purge_seconds: between two looks for old receipts, webhooks and refusals.
        checkpoint_seconds: between two signed checkpoints of a log that goes on.
    """

    lapse_seconds: float = 1.0
    purge_seconds: float = 300.0
    checkpoint_seconds: float = CHECKPOINT_SECONDS


class Scheduler:
    """Records lapses, signs, and purges what is kept for a time only, for all tenants."""

    def __init__(
        self,
        background: Pool,
        engine: BookingEngine,
        lapsed: Callable[[int], None],
        intervals: Intervals | None = None,
        signing_key: SigningKey | None = None,
    ) -> None:
        """Keeps its parts.

        Args:
            background: connections of the role that sees all tenants.
            engine: takes the commands.
            lapsed: is told how many lapses were recorded.
            intervals: how often to look; the default suits production.
            signing_key: signs checkpoints; without one, there are none.
        """
        self._background = background
        self._engine = engine
        self._lapsed = lapsed
        self._intervals = intervals or Intervals()
        self._signing_key = signing_key

    async def run(self) -> None:
        """Works until cancelled. What fails is logged, and tried again at the next look."""
        jobs = [
            self._every(self._intervals.lapse_seconds, self.lapse_due_holds),
            self._every(self._intervals.purge_seconds, self.purge_receipts),
            self._every(self._intervals.purge_seconds, self.purge_deliveries),
            self._every(self._intervals.purge_seconds, self.purge_refusals),
        ]
        if self._signing_key is None:
            log.warning("scheduler.signs_no_checkpoints", missing="BOOKING_SIGNING_KEY")
        else:
            seconds = self._intervals.checkpoint_seconds / _LOOKS_AN_INTERVAL
            jobs.append(self._every(seconds, self.sign_checkpoints))
        await run_together(*jobs)

    async def _every(self, seconds: float, job: Callable[[], Awaitable[int]]) -> None:
        while True:
            try:
                await job()
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                log.warning("scheduler.failed", error=type(error).__name__)
            await asyncio.sleep(seconds)

    async def lapse_due_holds(self) -> int:
        """Records the lapse of the holds that are past their expiry, the longest due first.

        Returns:
            How many were recorded.
        """
        recorded = 0
        progress = True
        while progress:
            due = await self._due_holds()
            before = recorded
            for tenant_id, bookings in due.items():
                caller = Caller(tenant_id, ACTOR, f"lapse-{new_id()}")
                results = await self._engine.execute_all(
                    caller,
                    [CommandRequest(Lapse(booking_id=booking_id)) for booking_id in bookings],
                )
                recorded += sum(isinstance(result, Accepted) for result in results)
            progress = recorded > before and sum(map(len, due.values())) >= _HOLDS_AT_ONCE
        if recorded:
            self._lapsed(recorded)
            log.info("scheduler.holds_lapsed", holds=recorded)
        return recorded

    async def sign_checkpoints(self) -> int:
        """Signs where logs end that went on since their last checkpoint, if that is old enough.

        A log that does not continue its last one was rewritten; it is not signed, and loudly.

        Returns:
            How many were signed.
        """
        if self._signing_key is None:
            return 0
        signing = await sign_heads(
            self._background.connection,
            self._signing_key,
            at_least=timedelta(seconds=self._intervals.checkpoint_seconds),
        )
        for standstill in signing.refused:
            log.error(
                "scheduler.log_does_not_continue_its_checkpoint",
                tenant_id=str(standstill.last.tenant_id),
                position=standstill.last.seq,
            )
        if signing.signed:
            log.info("scheduler.checkpoints_signed", checkpoints=len(signing.signed))
        return len(signing.signed)

    async def purge_receipts(self) -> int:
        """Deletes receipts that no key is looked up under any more.

        Returns:
            How many went.
        """
        purged = 0
        while True:
            async with self._background.connection() as connection:
                cursor = await connection.execute(
                    """
                    delete from booking.receipt
                     where (tenant_id, key) in (
                               select tenant_id, key
                                 from booking.receipt
                                where recorded_at < statement_timestamp() - %s
                                limit %s)
                    """,
                    (RECEIPTS_KEPT, _RECEIPTS_AT_ONCE),
                )
            purged += cursor.rowcount
            if cursor.rowcount < _RECEIPTS_AT_ONCE:
                break
        if purged:
            log.info("scheduler.receipts_purged", receipts=purged)
        return purged

    async def purge_deliveries(self) -> int:
        """Forgets webhooks that nobody sends any more.

        Returns:
            How many were forgotten.
        """
        purged = await purge_deliveries(self._background)
        if purged:
            log.info("scheduler.deliveries_purged", deliveries=purged)
        return purged

    async def purge_refusals(self) -> int:
        """Deletes refusals that are too old, or too many of one tenant.

        Returns:
            How many went.
        """
        purged = await purge_refusals(self._background)
        if purged:
            log.info("scheduler.refusals_purged", refusals=purged)
        return purged

    async def _due_holds(self) -> dict[TenantId, list[BookingId]]:
        async with self._background.connection() as connection:
            cursor = await connection.execute(
                """
                select tenant_id, booking_id
                  from booking.reservation
                 where hold_expires_at <= statement_timestamp()
                 group by tenant_id, booking_id
                 order by min(hold_expires_at)
                 limit %s
                """,
                (_HOLDS_AT_ONCE,),
            )
            due: dict[TenantId, list[BookingId]] = defaultdict(list)
            async for tenant_id, booking_id in cursor:
                due[tenant_id].append(booking_id)
        return due
