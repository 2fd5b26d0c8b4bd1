"""The way of a forgetting: an event that takes a customer's key with it, and then the word to all.

The event and the end of the key are one commit. A command that sealed data with that key expects
that the customer is not forgotten, so that whoever comes second is decided again, with a new key.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import cast
from uuid import UUID

from eventsourcing.domain import AggregateEvent

from domain.forgetting import ForgottenCustomer, destroyed_keys_from
from domain.ids import TenantId
from domain.mapper import EventMapper
from infra.customer_vault import CustomerVault
from infra.engine.recording import new_events
from infra.engine.requests import Caller, IdempotencyKey, Refused
from infra.errors import CommandFailed, Contended, IdempotencyKeyReused, NotFound, Unavailable
from infra.forgotten_keys import announce
from infra.identity import new_id
from infra.log.append import AppendCommand, Verdict
from infra.log.commit_queue import CommitQueue
from infra.postgres.pool import Pool, reading

ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Forgetting:
    """That a customer was forgotten.

    Attributes:
        key_id: the key that sealed their data.
        forgotten_at: when, by the database's clock.
        position: of the event.
        replayed: this is the first answer to a key that came again.
    """

    key_id: UUID
    forgotten_at: datetime
    position: int
    replayed: bool = False


class CustomerForgetter:
    """Forgets customers."""

    def __init__(
        self,
        pool: Pool,
        queue: CommitQueue,
        vault: CustomerVault,
        mapper: EventMapper,
        clock: Callable[[], datetime],
    ) -> None:
        """Keeps its parts.

        Args:
            pool: connections in autocommit, as a role that row-level security binds.
            queue: the way to the log.
            vault: remembers keys, and must not remember this one.
            mapper: writes events.
            clock: the time now; the event is recorded by the database's.
        """
        self._pool = pool
        self._queue = queue
        self._vault = vault
        self._mapper = mapper
        self._clock = clock

    async def forget(
        self,
        caller: Caller,
        key_id: UUID,
        reason: str | None,
        idempotency: IdempotencyKey | None = None,
    ) -> Forgetting | Refused:
        """Forgets a customer, or finds that it was done before: both are answered alike.

        Args:
            caller: who asks.
            key_id: the key that seals the customer's data.
            reason: why; it stays in the log.
            idempotency: the key under which it is done once.
        """
        try:
            for _ in range(ATTEMPTS):
                known, done = await self._standing(caller.tenant_id, key_id)
                if done is None and not known:
                    return Refused(NotFound("customer", key_id), caller.request_id)
                if done is not None and idempotency is None:
                    return done
                command = self._command(caller, key_id, reason, idempotency, done=done is not None)
                outcome = await self._queue.enqueue(caller.tenant_id, command)
                if outcome.verdict is Verdict.KEY_REUSED and idempotency is not None:
                    return Refused(IdempotencyKeyReused(idempotency.key), caller.request_id)
                if outcome.verdict is Verdict.ACCEPTED:
                    return await self._done(caller.tenant_id, key_id, replayed=outcome.replayed)
        except (Unavailable, CommandFailed) as error:
            return Refused(error, caller.request_id)
        return Refused(Contended(), caller.request_id)

    def _command(
        self,
        caller: Caller,
        key_id: UUID,
        reason: str | None,
        idempotency: IdempotencyKey | None,
        *,
        done: bool,
    ) -> AppendCommand:
        """Gives what to append: nothing but the idempotency key where all is done already."""
        events: list[AggregateEvent] = []
        if not done:
            forgotten = ForgottenCustomer.forget(key_id, reason, now=self._clock())
            events += cast("list[AggregateEvent]", list(forgotten.collect_events()))
        return AppendCommand(
            expect={key_id: 1 if done else 0},
            events=new_events(events, self._mapper, caller, new_id()),
            destroyed_keys=destroyed_keys_from(events),
            keys=() if idempotency is None else (idempotency.key,),
            fingerprint=None if idempotency is None else idempotency.fingerprint,
            facts={"streams": [str(key_id)], "request_id": caller.request_id},
        )

    async def _done(self, tenant_id: TenantId, key_id: UUID, *, replayed: bool) -> Forgetting:
        self._vault.discard(tenant_id, key_id)
        await announce(self._pool, tenant_id, key_id)
        _, done = await self._standing(tenant_id, key_id, replayed=replayed)
        if done is None:
            raise LookupError("The event just appended is not there.")
        return done

    async def _standing(
        self, tenant_id: TenantId, key_id: UUID, *, replayed: bool = False
    ) -> tuple[bool, Forgetting | None]:
        """Tells whether there is such a key, and whether its customer was forgotten."""
        async with reading(self._pool, tenant_id) as conn:
            cursor = await conn.execute(
                """
                select exists (select from booking.customer_key
                                where tenant_id = %(tenant)s and key_id = %(key)s)
                """,
                {"tenant": tenant_id, "key": key_id},
            )
            known = bool(cast("tuple[bool]", await cursor.fetchone())[0])
            cursor = await conn.execute(
                """
                select recorded_at, seq
                  from booking.event
                 where tenant_id = %(tenant)s and stream_id = %(key)s and version = 1
                   and topic = 'customer.forgotten'
                """,
                {"tenant": tenant_id, "key": key_id},
            )
            row = await cursor.fetchone()
        return known, None if row is None else Forgetting(key_id, row[0], row[1], replayed)
