"""Takes what was counted to the database every few seconds, and each part of it exactly once.

What could not be sent is kept and sent with what comes next. If an answer is lost on the way to the
commit, the database is asked what became of that transaction before anything is sent again.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime

import psycopg
import structlog
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from domain.ids import TenantId
from infra.errors import Overloaded
from infra.every_so_often import every_so_often
from infra.postgres.pool import Pool, borrowed
from infra.usage.counting import Counting
from infra.usage.tally import Tally

log = structlog.get_logger(__name__)

FLUSH_SECONDS = 5.0
MOST_KEPT = 50_000
"""Tallies of one tenant and day each that wait for a database; the oldest day goes first."""

_Tallies = dict[tuple[date, TenantId], Tally]

# As the one role that may add to every tenant's figures, for this transaction alone.
_BEGIN = "select set_config('role', 'booking_background', true), pg_current_xact_id()::text"
_WHAT_BECAME = "select pg_xact_status(%s::text::xid8)"
_ADD = """
    insert into booking.usage as kept (tenant_id, day, commands, events, queries, seconds, refused)
    select *
      from unnest(%s::uuid[], %s::date[], %s::bigint[], %s::bigint[], %s::bigint[],
                  %s::double precision[], %s::bigint[])
        on conflict (tenant_id, day) do update
       set commands = kept.commands + excluded.commands,
           events = kept.events + excluded.events,
           queries = kept.queries + excluded.queries,
           seconds = kept.seconds + excluded.seconds,
           refused = kept.refused + excluded.refused
"""


@dataclass(slots=True)
class _Parcel:
    """Tallies that are sent together.

    Attributes:
        tallies: what is in it; not changed any more.
        transaction: that may have brought it; None if it was certainly not sent.
    """

    tallies: _Tallies
    transaction: str | None = None


class UsageKeeper:
    """Empties the counting into the database."""

    def __init__(
        self,
        pool: Pool,
        counting: Counting,
        clock: Callable[[], datetime],
        used: Callable[[Mapping[TenantId, Tally]], None] = lambda _: None,
    ) -> None:
        """Keep the parts.

        Args:
            pool: connections whose login may become `booking_background`.
            counting: what is emptied.
            clock: the time now, in UTC; what was counted since the last look counts for its day.
            used: is told of it too.
        """
        self._pool = pool
        self._counting = counting
        self._clock = clock
        self._used = used
        self._waiting: _Tallies = {}
        self._parcel: _Parcel | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Flush every few seconds, and once more at the end.

        Yields:
            To what is counted.
        """
        try:
            async with every_so_often(self.flush, FLUSH_SECONDS):
                yield
        finally:
            if self.kept:
                log.warning("usage.lost", tallies=self.kept)

    @property
    def kept(self) -> int:
        """How many tallies wait for the database."""
        return len(self._waiting) + (len(self._parcel.tallies) if self._parcel else 0)

    async def flush(self) -> None:
        """Send what was counted, and what could not be sent before; if it fails, it is kept."""
        self._gather()
        try:
            while self._parcel is not None or self._waiting:
                self._parcel = self._parcel or self._packed()
                async with borrowed(self._pool) as conn:
                    if not await self._sent(conn, self._parcel):
                        return  # its transaction is not over yet
                self._parcel = None
        except Overloaded:  # the pool's log line says why
            return
        except psycopg.Error as error:
            log.warning("usage.not_kept", error=type(error).__name__, tallies=self.kept)

    def _gather(self) -> None:
        today = self._clock().date()
        counted = self._counting.take()
        self._used(counted)
        for tenant_id, tally in counted.items():
            before = self._waiting.setdefault((today, tenant_id), tally)
            if before is not tally:
                before.add(tally)
        over = self.kept - MOST_KEPT
        if over > 0:
            log.warning("usage.lost", tallies=over)
            for name in sorted(self._waiting)[:over]:
                del self._waiting[name]

    def _packed(self) -> _Parcel:
        packed, self._waiting = self._waiting, {}
        return _Parcel(packed)

    async def _sent(self, conn: AsyncConnection[TupleRow], parcel: _Parcel) -> bool:
        if parcel.transaction is not None:
            outcome = await _what_became(conn, parcel.transaction)
            if outcome != "aborted":
                return outcome == "committed"
        parcel.transaction = None
        # In one order everywhere, so that two processes cannot wait for one another's rows.
        lines = sorted(parcel.tallies.items(), key=lambda line: (line[0][1], line[0][0]))
        tallies = [tally for _, tally in lines]
        async with conn.transaction():
            begun = await (await conn.execute(_BEGIN)).fetchone()
            await conn.execute(
                _ADD,
                [
                    [tenant_id for (_, tenant_id), _ in lines],
                    [day for (day, _), _ in lines],
                    [tally.commands for tally in tallies],
                    [tally.events for tally in tallies],
                    [tally.queries for tally in tallies],
                    [tally.seconds for tally in tallies],
                    [tally.refused for tally in tallies],
                ],
            )
            if begun is not None:
                parcel.transaction = str(begun[1])  # from here on it may be committed
        return True


async def _what_became(conn: AsyncConnection[TupleRow], transaction: str) -> str:
    """Tells what became of a transaction: committed, aborted, or in progress."""
    try:
        row = await (await conn.execute(_WHAT_BECAME, [transaction])).fetchone()
    except psycopg.errors.InvalidParameterValue:  # this server has not come that far: another one
        return "aborted"
    # Too long ago for the server to know: rather lost than counted twice.
    return "committed" if row is None or row[0] is None else str(row[0])
