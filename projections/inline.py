"""An inline projection as what it is: the fold of the log, kept in a table of its own.

Its rows are written in the transaction that appends the events. Whoever checks or rebuilds them
needs the fold, which is pure, and the ways to hold the table against it; both are asked stream by
stream, since all rows of a stream (a booking, a resource) come from that stream's events alone.
"""

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import LiteralString, Protocol
from uuid import UUID

from eventsourcing.domain import CanMutateAggregate
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from domain.ids import TenantId


@dataclass(frozen=True, slots=True)
class PlacedEvent:
    """An event, brought up to today's version, and its position in the tenant's log."""

    position: int
    event: CanMutateAggregate[UUID]


class Fold(Protocol):
    """What the events of one tenant, followed from the first on, leave of a projection."""

    def follow(self, events: Sequence[PlacedEvent]) -> None:
        """Go on with the next events, in their order; how they are cut into batches is all one."""

    def streams(self) -> Collection[UUID]:
        """Name the streams that have rows now."""

    def rows_of(self, stream_id: UUID) -> Sequence[object]:
        """Tell the rows of a stream: dataclasses whose fields are the columns, but the tenant."""


@dataclass(frozen=True, slots=True)
class Part:
    """Some of a projection's rows.

    Attributes:
        first: the lowest id of a stream that counts.
        last: the highest one.
        among: only these streams; None for all of the range, those unknown to the log included.
    """

    first: UUID
    last: UUID
    among: list[UUID] | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """A row that the log and the table do not tell alike.

    Attributes:
        stream_id: the booking or resource that it is of.
        told: the row as the log tells it, as a JSON object; None where it tells of no such row.
        kept: the row as the table has it; None where it has none.
    """

    stream_id: UUID
    told: str | None
    kept: str | None


@dataclass(frozen=True)
class InlineProjection:
    """One inline projection.

    PostgreSQL compares, as it would print them, the rows that it keeps with those that it would
    keep: so what a type rounds or reorders is rounded and reordered on both sides.

    Attributes:
        name: the table's.
        topics: the events that it is folded from; all others do nothing to it.
        fold: begins before the first event.
        select_differing: the SQL that compares a part of the rows.
        delete_rows: the SQL that takes out rows, by their keys.
        insert_rows: the SQL that puts in rows, but those that another one is in the way of.
        select_in_the_way: the SQL that tells those others; None where there is no such thing.
    """

    name: str
    topics: frozenset[str]
    fold: Callable[[], Fold]
    select_differing: LiteralString
    delete_rows: LiteralString
    insert_rows: LiteralString
    select_in_the_way: LiteralString | None = None

    async def differing(
        self,
        conn: AsyncConnection[TupleRow],
        tenant_id: TenantId,
        part: Part,
        told: bytes,
    ) -> AsyncIterator[Difference]:
        """Compare a part of the rows.

        Args:
            conn: of the tables' owner.
            tenant_id: whose rows.
            part: which.
            told: all that the fold tells of this part, as a JSON array.

        Yields:
            What differs, in the order of the keys; nothing is held back in memory.
        """
        parameters = {
            "tenant_id": tenant_id,
            "first": part.first,
            "last": part.last,
            "among": part.among,
            "told": told.decode(),
        }
        async with conn.cursor() as cursor:
            # Streamed, it is also planned anew each time: for what is asked now.
            async for row in cursor.stream(self.select_differing, parameters):
                yield Difference(*row)

    async def delete(
        self, conn: AsyncConnection[TupleRow], tenant_id: TenantId, kept: Sequence[str]
    ) -> int:
        """Take rows out of the table.

        Args:
            conn: of the tables' owner, in a transaction that has locked the tenant's head.
            tenant_id: whose rows.
            kept: as a difference tells them.

        Returns:
            How many went.
        """
        parameters = {"tenant_id": tenant_id, "rows": _array(kept)}
        return (await conn.execute(self.delete_rows, parameters)).rowcount

    async def insert(
        self, conn: AsyncConnection[TupleRow], tenant_id: TenantId, told: Sequence[str]
    ) -> int:
        """Put rows into the table, in their order.

        Args:
            conn: of the tables' owner, in a transaction that has locked the tenant's head.
            tenant_id: whose rows.
            told: as a difference tells them.

        Returns:
            How many came; one that another row is in the way of stays out.
        """
        parameters = {"tenant_id": tenant_id, "rows": _array(told)}
        return (await conn.execute(self.insert_rows, parameters)).rowcount

    async def in_the_way(
        self, conn: AsyncConnection[TupleRow], tenant_id: TenantId, told: Sequence[str]
    ) -> list[tuple[str, str]]:
        """Tell which rows keep others from being put in.

        Args:
            conn: of the tables' owner.
            tenant_id: whose rows.
            told: rows of which some stayed out.

        Returns:
            Pairs of a row that stayed out and one that is in its way.
        """
        if self.select_in_the_way is None:
            return []
        parameters = {"tenant_id": tenant_id, "rows": _array(told)}
        cursor = await conn.execute(self.select_in_the_way, parameters)
        return [(row[0], row[1]) for row in await cursor.fetchall()]


def _array(rows: Sequence[str]) -> str:
    return f"[{','.join(rows)}]"
