"""Takes refusals from the process to the database, every second, beside the commands.

What could not be sent stays among the notes, which are bounded, and is sent with what comes next.
Each has an id of its own: one whose answer was lost is sent again, and yet kept and counted once.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import ceil

import psycopg
import structlog
from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from pydantic import TypeAdapter

from infra.errors import Overloaded
from infra.every_so_often import every_so_often
from infra.postgres.pool import Pool, borrowed
from infra.refusals.noting import RefusalNotes
from infra.refusals.refusal import RefusedCommand

log = structlog.get_logger(__name__)

FLUSH_SECONDS = 1.0
AT_ONCE = 500

_BATCH = TypeAdapter(list[RefusedCommand])
_NOT_KEPT = {"__all__": {"conflicts"}}

# As the one role that may write every tenant's refusals, for this transaction alone.
_BEGIN = "select set_config('role', 'booking_background', true)"

# Only what is new is counted. Only for resources that there are, and for days of the years about
# now: else whoever makes up ids and dates could make the counts grow without end.
_KEEP = """
    with kept as (
        insert into booking.refusal (
                   tenant_id, refusal_id, refused_at, reason, command, booking_id, resource_ids,
                   start_time, end_time, blocking_ids, actor, request_id)
        select tenant_id, refusal_id, refused_at, reason, command, booking_id, resource_ids,
               start_time, end_time, blocking_ids, actor, request_id
          from jsonb_to_recordset(%s::text::jsonb) as noted (
                   tenant_id uuid, refusal_id uuid, refused_at timestamptz, reason text,
                   command text, booking_id uuid, resource_ids uuid[], start_time timestamptz,
                   end_time timestamptz, blocking_ids uuid[], actor text, request_id text)
         order by tenant_id, refusal_id
            on conflict do nothing
        returning tenant_id, refused_at, reason, resource_ids, start_time
    )
    insert into booking.refusal_day as counted (tenant_id, resource_id, day, reason, refusals)
    select kept.tenant_id, resource.resource_id, (start_time at time zone timezone)::date,
           reason, count(*)
      from kept
     cross join lateral (select distinct unnest(resource_ids)) wanted (resource_id)
      join booking.resource
        on resource.tenant_id = kept.tenant_id
       and resource.resource_id = wanted.resource_id
     where start_time >= refused_at - interval '1 year'
       and start_time < refused_at + interval '3 years'
     group by 1, 2, 3, 4
     order by 1, 2, 3, 4
        on conflict (tenant_id, resource_id, day, reason) do update
       set refusals = counted.refusals + excluded.refusals
"""


class RefusalKeeper:
    """Empties the notes into the database."""

    def __init__(self, pool: Pool, notes: RefusalNotes) -> None:
        """Keep the parts.

        Args:
            pool: connections whose login may become `booking_background`.
            notes: what is emptied.
        """
        self._pool = pool
        self._notes = notes

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Flush every second, and once more at the end.

        Yields:
            To what is noted.
        """
        try:
            async with every_so_often(self.flush, FLUSH_SECONDS):
                yield
        finally:
            if len(self._notes):
                log.warning("refusals.dropped", refusals=len(self._notes))
                self._notes.drop(len(self._notes))

    async def flush(self) -> None:
        """Send what was noted; what fails because the database is sick stays for the next time.

        So does what is noted meanwhile: else a flood would be kept line by line, each of them in a
        transaction of its own.
        """
        for _ in range(ceil(len(self._notes) / AT_ONCE)):
            batch = self._notes.first(AT_ONCE)
            try:
                async with borrowed(self._pool) as conn:
                    await _keep(conn, batch)
            except Overloaded:  # the pool's log line says why
                return
            except psycopg.Error as error:  # it would fail again, and all that come after it
                log.warning("refusals.dropped", error=type(error).__name__, refusals=len(batch))
                self._notes.drop(len(batch))
            else:
                self._notes.done(len(batch))


async def _keep(conn: AsyncConnection[TupleRow], batch: list[RefusedCommand]) -> None:
    async with conn.transaction():
        await conn.execute(_BEGIN)
        await conn.execute(_KEEP, [_BATCH.dump_json(batch, exclude=_NOT_KEPT).decode()])
