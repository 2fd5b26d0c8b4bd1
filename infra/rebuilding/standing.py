"""How the inline projections of a tenant stand: whether each is what the log tells, row by row."""

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from infra.log.reader import select_head
from infra.rebuilding.comparing import differences
from infra.rebuilding.errors import LogUnreadable
from infra.rebuilding.shadow import Shadow
from infra.rebuilding.tenants import Tenant
from projections.inline import InlineProjection

SHOWN = 10
"""How many rows of each kind of difference are shown."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How one projection of one tenant stands.

    Attributes:
        projection: which.
        tenant: whose.
        position: of the log at which log and table were compared.
        behind: events of the log that the table does not have yet; always 0 of an inline
            projection, which is written with the events.
        rows: in the table, or in all tables of an asynchronous projection.
        missing: rows that the log tells and the table lacks, or has otherwise.
        unexpected: rows that the table has and the log does not tell, or tells otherwise.
        missing_rows: the first of them, each as a JSON object.
        unexpected_rows: the first of them, each as a JSON object.
        not_compared: why there was nothing to compare; None where they were compared.
    """

    projection: str
    tenant: Tenant
    position: int
    behind: int
    rows: int
    missing: int
    unexpected: int
    missing_rows: tuple[str, ...]
    unexpected_rows: tuple[str, ...]
    not_compared: str | None = None

    @property
    def equal(self) -> bool:
        """Whether the table is known to be what the log tells."""
        return self.not_compared is None and not self.missing and not self.unexpected


async def standings(
    conn: AsyncConnection[TupleRow],
    tenant: Tenant,
    projections: Sequence[InlineProjection],
    shown: int = SHOWN,
) -> list[Standing]:
    """Compare projections with the log, exactly, while bookings go on; nothing waits for it.

    Almost all of the log is folded before the snapshot is taken in which the rest of it and the
    tables are read: an old snapshot keeps the server from clearing away.

    Args:
        conn: of the tables' owner, in autocommit.
        tenant: whose.
        projections: which.
        shown: how many differing rows to show, each way.

    Returns:
        A standing for each projection, all at the same position.

    Raises:
        LogUnreadable: the log lacks an event, or has one that cannot be read.
    """
    shadow = Shadow(conn, tenant, projections)
    await shadow.catch_up()
    async with conn.transaction():
        await take_snapshot(shadow, conn)
        return [await _standing(conn, shadow, projection, shown) for projection in projections]


async def take_snapshot(shadow: Shadow, conn: AsyncConnection[TupleRow]) -> None:
    """From here on, this transaction sees the log as the shadow has followed it, and no further.

    Args:
        shadow: is brought to the log's end.
        conn: of the tables' owner, in a transaction that has done nothing yet.

    Raises:
        LogUnreadable: the tenant has no log, or it cannot be followed to its end.
    """
    await conn.execute("set transaction isolation level repeatable read, read only")
    try:
        head = await select_head(conn, shadow.tenant.tenant_id)
    except LookupError as error:
        raise LogUnreadable(
            f"The tenant {shadow.tenant.slug!r} has no row in booking.tenant_head, where its log "
            "ends. Restore that from a backup. Nothing was changed."
        ) from error
    await shadow.follow_to(head.seq)


async def _standing(
    conn: AsyncConnection[TupleRow], shadow: Shadow, projection: InlineProjection, shown: int
) -> Standing:
    fold = shadow.folds[projection]
    missing = unexpected = 0
    missing_rows: list[str] = []
    unexpected_rows: list[str] = []
    async for difference in differences(conn, shadow.tenant.tenant_id, projection, fold):
        if difference.told is not None:
            missing += 1
            missing_rows += [difference.told] if missing <= shown else []
        if difference.kept is not None:
            unexpected += 1
            unexpected_rows += [difference.kept] if unexpected <= shown else []
    told = sum(len(fold.rows_of(stream)) for stream in fold.streams())
    return Standing(
        projection=projection.name,
        tenant=shadow.tenant,
        position=shadow.position,
        behind=0,
        rows=told - missing + unexpected,
        missing=missing,
        unexpected=unexpected,
        missing_rows=tuple(missing_rows),
        unexpected_rows=tuple(unexpected_rows),
    )
