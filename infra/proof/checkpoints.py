"""The signed checkpoints that are kept, and the signing of new ones.

A key signs no checkpoint of a log that does not continue what was signed before: the last one is
looked for in the log first. Whatever else was altered, `audit verify` tells.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from domain.ids import TenantId
from infra.proof.notes import Checkpoint, Signature, SignedCheckpoint, SigningKey

HEADS_AT_ONCE = 500
CHECKPOINTS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class KeptCheckpoint:
    """A signed checkpoint, and what is known of it besides.

    Attributes:
        signed: the checkpoint.
        recorded_at: when its event was recorded.
        signed_at: when it was signed, by the database's clock; nothing proves that.
        in_log: the hash that the log has at that position now; None where it has none.
    """

    signed: SignedCheckpoint
    recorded_at: datetime
    signed_at: datetime
    in_log: bytes | None

    @property
    def mark(self) -> "CheckpointMark":
        """Where the next page goes on, if this checkpoint is the last of its page."""
        return CheckpointMark(self.signed.checkpoint.seq, self.signed.signatures[0].key_id)

    @property
    def stands(self) -> bool:
        """Whether the log still has it."""
        return self.in_log == self.signed.checkpoint.hash


@dataclass(frozen=True, slots=True)
class Standstill:
    """A log that does not continue its last signed checkpoint, so that nothing was signed."""

    last: Checkpoint
    head: Checkpoint


@dataclass(frozen=True, slots=True)
class Signing:
    """What came of signing.

    Attributes:
        signed: the new checkpoints.
        refused: logs that were not signed.
    """

    signed: Sequence[Checkpoint]
    refused: Sequence[Standstill]


Connect = Callable[[], AbstractAsyncContextManager[AsyncConnection[TupleRow]]]
"""Lends a connection, of `booking_background` or of the owner."""


async def sign_heads(
    connect: Connect,
    key: SigningKey,
    *,
    tenant_id: TenantId | None = None,
    at_least: timedelta = timedelta(0),
) -> Signing:
    """Signs where logs end that went on since they were signed; any number may do so at once.

    Args:
        connect: lends a connection in autocommit, for a part of the heads each time.
        key: signs.
        tenant_id: only this tenant's; None for all.
        at_least: how old the last checkpoint has to be.
    """
    signed: list[Checkpoint] = []
    refused: list[Standstill] = []
    after = TenantId(UUID(int=0))
    while True:
        async with connect() as conn:
            heads = await _select_due(conn, after, tenant_id, at_least)
            for head in heads:
                if head.refused_after is None:
                    await _keep(conn, head.checkpoint, key.sign(head.checkpoint), head.recorded_at)
                    signed.append(head.checkpoint)
                else:
                    refused.append(Standstill(head.refused_after, head.checkpoint))
        if len(heads) < HEADS_AT_ONCE:
            return Signing(signed, refused)
        after = heads[-1].checkpoint.tenant_id


@dataclass(frozen=True, slots=True)
class _DueHead:
    """Where a log ends that is to be signed; refused after a checkpoint that it lacks."""

    checkpoint: Checkpoint
    recorded_at: datetime
    refused_after: Checkpoint | None


async def _select_due(
    conn: AsyncConnection[TupleRow],
    after: TenantId,
    tenant_id: TenantId | None,
    at_least: timedelta,
) -> list[_DueHead]:
    cursor = await conn.execute(
        """
        select head.tenant_id, head.seq, head.hash, head.recorded_at, last.seq, last.hash,
               last.hash is null or coalesce(
                   last.seq < head.seq and last.hash = (
                       select event.hash
                         from booking.event
                        where event.tenant_id = head.tenant_id and event.seq = last.seq),
                   false)
          from booking.tenant_head head
          left join lateral (
                   select seq, hash, signed_at
                     from booking.log_checkpoint
                    where log_checkpoint.tenant_id = head.tenant_id
                    order by seq desc
                    limit 1
               ) last on true
         where head.tenant_id > %(after)s
           and (%(tenant)s::uuid is null or head.tenant_id = %(tenant)s)
           and head.seq > 0
           and (head.seq, head.hash) is distinct from (last.seq, last.hash)
           and (last.signed_at is null or last.signed_at <= statement_timestamp() - %(age)s)
         order by head.tenant_id
         limit %(limit)s
        """,
        {"after": after, "tenant": tenant_id, "age": at_least, "limit": HEADS_AT_ONCE},
    )
    return [
        _DueHead(
            Checkpoint(TenantId(of), seq, hash_),
            recorded_at,
            None if continues else Checkpoint(TenantId(of), last_seq, last_hash),
        )
        for of, seq, hash_, recorded_at, last_seq, last_hash, continues in await cursor.fetchall()
    ]


async def _keep(
    conn: AsyncConnection[TupleRow],
    checkpoint: Checkpoint,
    signature: Signature,
    recorded_at: datetime,
) -> None:
    await conn.execute(
        """
        insert into booking.log_checkpoint (tenant_id, seq, hash, recorded_at, key_id, signature)
        values (%s, %s, %s, %s, %s, %s)
            on conflict do nothing
        """,
        [
            checkpoint.tenant_id,
            checkpoint.seq,
            checkpoint.hash,
            recorded_at,
            signature.key_id,
            signature.signature,
        ],
    )


@dataclass(frozen=True, slots=True)
class CheckpointMark:
    """Where a page of checkpoints, the newest first, goes on."""

    seq: int
    key_id: bytes


NEWEST = CheckpointMark(2**63 - 1, b"\xff" * 5)
"""The mark before every checkpoint: a key's id has four bytes."""


async def select_checkpoints(
    conn: AsyncConnection[TupleRow],
    tenant_id: TenantId,
    *,
    after: CheckpointMark = NEWEST,
    limit: int,
) -> list[KeptCheckpoint]:
    """Reads checkpoints, the newest first; one that several keys have signed comes as often.

    Args:
        conn: of the owner, or in a transaction of the tenant.
        tenant_id: whose.
        after: the mark of the last one before those wanted.
        limit: how many at most.
    """
    cursor = await conn.execute(
        """
        select kept.seq, kept.hash, kept.recorded_at, kept.signed_at, kept.key_id, kept.signature,
               (select event.hash
                  from booking.event
                 where event.tenant_id = kept.tenant_id and event.seq = kept.seq)
          from booking.log_checkpoint kept
         where kept.tenant_id = %s and (kept.seq, kept.key_id) < (%s, %s)
         order by kept.seq desc, kept.key_id desc
         limit %s
        """,
        [tenant_id, after.seq, after.key_id, limit],
    )
    kept: list[KeptCheckpoint] = []
    async for seq, hash_, recorded_at, signed_at, key_id, signature, in_log in cursor:
        checkpoint = Checkpoint(tenant_id, seq, hash_)
        signed = SignedCheckpoint(checkpoint, (Signature(checkpoint.origin, key_id, signature),))
        kept.append(KeptCheckpoint(signed, recorded_at, signed_at, in_log))
    return kept


async def all_checkpoints(
    conn: AsyncConnection[TupleRow], tenant_id: TenantId
) -> AsyncIterator[KeptCheckpoint]:
    """Reads all checkpoints of a tenant, the newest first, a part at a time.

    Args:
        conn: of the owner.
        tenant_id: whose.
    """
    after = NEWEST
    while True:
        part = await select_checkpoints(conn, tenant_id, after=after, limit=CHECKPOINTS_AT_ONCE)
        for each in part:
            yield each
        if len(part) < CHECKPOINTS_AT_ONCE:
            return
        after = part[-1].mark
