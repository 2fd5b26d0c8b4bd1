"""A table made again what the log tells, while bookings go on.

What differs is found without a lock, in a snapshot; then the tenant's head is locked, as by every
writer, for no longer than it takes to follow the few events that came meanwhile, to look again at
what differed and at what those events touched, and to put that right. A table that is equal is
neither locked nor written.
"""

import time
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from uuid import UUID

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from infra.rebuilding.comparing import differences
from infra.rebuilding.errors import TenantBusy
from infra.rebuilding.shadow import Shadow
from infra.rebuilding.standing import take_snapshot
from infra.rebuilding.tenants import Tenant
from projections.inline import InlineProjection

SHORT_TAIL = 1000
"""Streams touched since the last look; with more than that, it is looked again before locking."""

LOOKS = 5
"""Enough for a tail that shortens with each look; then it is locked, however long it is."""

ATTEMPTS = 5
"""How often a lock may be somebody else's for longer than the session's lock time-out."""

ROWS_AT_ONCE = 5000


@dataclass(frozen=True, slots=True)
class Overlap:
    """Two live claims of the log that no table can hold both.

    It comes of a lost row: its slot was booked again before it was rebuilt.

    Attributes:
        left_out: the claim that stays out of the table, as a JSON object.
        standing: the one that is in its way.
    """

    left_out: str
    standing: str


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild did.

    Attributes:
        projection: which.
        tenant: whose.
        position: of the log, up to which the table is what it tells.
        deleted: rows taken out, those that were altered included.
        inserted: rows put in, those that were altered included.
        left: rows that stayed out, since others are in their way.
        overlaps: which are in the way of which.
        locked_seconds: for how long the tenant's commands had to wait; 0 if nothing differed.
    """

    projection: str
    tenant: Tenant
    position: int
    deleted: int = 0
    inserted: int = 0
    left: int = 0
    overlaps: tuple[Overlap, ...] = ()
    locked_seconds: float = 0.0


async def rebuild(
    conn: AsyncConnection[TupleRow], tenant: Tenant, projection: InlineProjection
) -> Rebuilt:
    """Put right whatever row differs from the log; all of it in one transaction, or nothing.

    Args:
        conn: of the tables' owner, in autocommit.
        tenant: whose rows; no others are touched.
        projection: which table.

    Returns:
        What was done.

    Raises:
        LogUnreadable: the log lacks an event, or has one that cannot be read.
        TenantBusy: its head could not be locked in time.
    """
    shadow = Shadow(conn, tenant, [projection])
    await shadow.catch_up()
    suspects = await _differing_streams(conn, shadow, projection)
    for _ in range(LOOKS):
        if not suspects:
            return Rebuilt(projection.name, tenant, shadow.position)
        await shadow.catch_up()
        if len(shadow.touched) <= SHORT_TAIL:
            break
        suspects = await _differing_streams(conn, shadow, projection, suspects)
    for _ in range(ATTEMPTS):
        try:
            return await _put_right(conn, shadow, projection, suspects)
        except psycopg.errors.LockNotAvailable:
            await shadow.catch_up()  # what was read stays read; only the transaction is gone
    raise TenantBusy(
        f"The tenant {tenant.slug!r} could not be locked for a moment: another transaction has it "
        "all the time. See which in pg_stat_activity; then try again. Nothing was changed."
    )


async def _differing_streams(
    conn: AsyncConnection[TupleRow],
    shadow: Shadow,
    projection: InlineProjection,
    suspects: AbstractSet[UUID] | None = None,
) -> set[UUID]:
    """Look in a snapshot: at everything, or at the suspects and what had events since."""
    async with conn.transaction():
        await take_snapshot(shadow, conn)
        among = None if suspects is None else suspects | shadow.touched
        found = differences(
            conn, shadow.tenant.tenant_id, projection, shadow.folds[projection], among
        )
        differing = {difference.stream_id async for difference in found}
    shadow.touched.clear()
    return differing


async def _put_right(
    conn: AsyncConnection[TupleRow],
    shadow: Shadow,
    projection: InlineProjection,
    suspects: AbstractSet[UUID],
) -> Rebuilt:
    tenant_id, fold = shadow.tenant.tenant_id, shadow.folds[projection]
    async with conn.transaction():
        # Every statement after the lock has to see what was committed before it.
        await conn.execute("set transaction isolation level read committed")
        head = await _lock_head(conn, shadow.tenant)
        locked_at = time.monotonic()
        await shadow.follow_to(head)
        among = suspects | shadow.touched
        found = [each async for each in differences(conn, tenant_id, projection, fold, among)]
        kept = [each.kept for each in found if each.kept is not None]
        told = [each.told for each in found if each.told is not None]
        # All deletions first: an altered row may stand in the way of any other.
        deleted = sum([await projection.delete(conn, tenant_id, some) for some in _batches(kept)])
        inserted = sum([await projection.insert(conn, tenant_id, some) for some in _batches(told)])
        left = len(told) - inserted
        overlaps = await projection.in_the_way(conn, tenant_id, told) if left else []
    return Rebuilt(
        projection=projection.name,
        tenant=shadow.tenant,
        position=head,
        deleted=deleted,
        inserted=inserted,
        left=left,
        overlaps=tuple(Overlap(*pair) for pair in overlaps),
        locked_seconds=time.monotonic() - locked_at,
    )


async def _lock_head(conn: AsyncConnection[TupleRow], tenant: Tenant) -> int:
    """Keep every writer of the tenant waiting until this transaction ends."""
    cursor = await conn.execute(
        "select seq from booking.tenant_head where tenant_id = %s for update", [tenant.tenant_id]
    )
    [(seq,)] = await cursor.fetchall()
    return int(seq)


def _batches(rows: Sequence[str]) -> Iterator[Sequence[str]]:
    return (rows[start : start + ROWS_AT_ONCE] for start in range(0, len(rows), ROWS_AT_ONCE))
