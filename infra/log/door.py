"""Takes batches to PostgreSQL and tells apart the three ways in which that can fail.

Refused as a whole, nothing applied (a `psycopg.Error` that would come again); not applied for now
(`Overloaded`: no connection, a lock or statement timed out, a deadlock, a full disk); and unknown
(`OutcomeUnknown`: the connection broke, or was hung up, while the answer was on its way).
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
from psycopg import AsyncConnection
from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests

from domain.ids import TenantId
from infra.errors import OutcomeUnknown, Overloaded
from infra.log.append import AppendCommand, Outcome, Verdict, append_batch
from infra.log.commit_queue import Batch
from infra.postgres.pool import Pool, set_tenant

_LOST_CONNECTION_CLASSES = (
    "08",
    "57P",
)  # connection exceptions; the server shutting down or crashing
_LAST_WORDS = ("FATAL", "PANIC")
_LIMIT_CLASS = "54"
"""A command is too much for the server, which psycopg takes for a state that passes."""


class PostgresDoor:
    """The log's one door, reached through a pool of connections."""

    def __init__(self, pool: Pool, lapse: bytes) -> None:
        """Keeps the pool; opens nothing.

        Args:
            pool: connections in autocommit, as a role that row-level security binds; it hangs up
                those that do not answer.
            lapse: the encoded event, `{topic, state}`, for holds that give way.
        """
        self._pool = pool
        self._lapse = lapse

    async def append(self, batch: Batch) -> dict[TenantId, list[Outcome]]:
        """Sends the batch.

        Raises:
            Overloaded: it was not applied, for reasons that pass.
            OutcomeUnknown: the answer was lost.
            psycopg.Error: it was refused as a whole, and not applied.
        """
        async with self._connection() as connection:
            return await self._send(connection, batch)

    async def append_again(self, batch: Batch) -> dict[TenantId, list[Outcome]]:
        """Sends a batch whose answer was lost; keys and versions keep it from counting twice.

        A command without a key that had been applied meets its own events and is called stale;
        those it recognises by the command id in their metadata, and gives the outcome that was
        lost.

        Raises:
            OutcomeUnknown: still no answer.
            psycopg.Error: it was refused as a whole, and not applied.
        """
        try:
            async with self._connection() as connection:
                outcomes = await self._send(connection, batch)
                return {
                    tenant_id: [
                        await _recognise(connection, tenant_id, waiting.command, outcome)
                        for waiting, outcome in zip(batch[tenant_id], decided, strict=True)
                    ]
                    for tenant_id, decided in outcomes.items()
                }
        except Overloaded as error:
            raise OutcomeUnknown from error.__cause__

    async def _send(
        self, connection: AsyncConnection, batch: Batch
    ) -> dict[TenantId, list[Outcome]]:
        encoded = {
            tenant_id: [waiting.encoded for waiting in line] for tenant_id, line in batch.items()
        }
        return await append_batch(connection, encoded, self._lapse)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[AsyncConnection]:
        try:
            async with self._pool.connection() as connection:
                yield connection
        except (PoolTimeout, PoolClosed, TooManyRequests) as error:
            raise Overloaded from error
        except psycopg.InterfaceError as error:
            raise OutcomeUnknown from error
        except psycopg.errors.UndefinedFunction as error:
            # So it stands for a moment while a newer program's functions replace these.
            raise Overloaded from error
        except psycopg.errors.ReadOnlySqlTransaction as error:
            # So it stands while another server takes over, or where somebody keeps a disk from
            # filling to its end.
            raise Overloaded from error
        except psycopg.OperationalError as error:
            if error.sqlstate is not None and error.sqlstate.startswith(_LIMIT_CLASS):
                raise
            raise (OutcomeUnknown if _is_lost(error) else Overloaded) from error


def _is_lost(error: psycopg.OperationalError) -> bool:
    """Tells whether the connection ended before the answer.

    A server that cannot write its journal says why, as for any error, and dies (PANIC): the commit
    may be in what it had written.
    """
    return (
        error.sqlstate is None
        or error.sqlstate.startswith(_LOST_CONNECTION_CLASSES)
        or error.diag.severity_nonlocalized in _LAST_WORDS
    )


async def _recognise(
    connection: AsyncConnection,
    tenant_id: TenantId,
    command: AppendCommand,
    outcome: Outcome,
) -> Outcome:
    """Finds a stale command's own events in the log: then it was applied the first time."""
    if outcome.verdict is not Verdict.STALE or not command.events:
        return outcome
    first, last = command.events[0], command.events[-1]
    async with connection.transaction():
        await set_tenant(connection, tenant_id)
        cursor = await connection.execute(
            """
            select min(seq), max(seq), max(recorded_at)
              from booking.event
             where tenant_id = %(tenant)s
               and (stream_id, version) in (
                       (%(first_stream)s, %(first_version)s), (%(last_stream)s, %(last_version)s))
               and metadata = %(metadata)s
            having count(*) > 0
            """,
            {
                "tenant": tenant_id,
                "first_stream": first.stream_id,
                "first_version": first.version,
                "last_stream": last.stream_id,
                "last_version": last.version,
                "metadata": last.metadata,
            },
        )
        applied = await cursor.fetchone()
    if applied is None:
        return outcome
    first_seq, last_seq, decided_at = applied
    return outcome._replace(
        verdict=Verdict.ACCEPTED,
        first_seq=first_seq,
        last_seq=last_seq,
        decided_at=decided_at,
        info=None,
        facts=command.facts,
    )
