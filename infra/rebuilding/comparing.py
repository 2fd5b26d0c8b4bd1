"""A table held against its fold, a part at a time."""

from collections.abc import AsyncIterator, Collection, Iterable, Iterator
from itertools import islice
from operator import attrgetter
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from pydantic_core import to_json

from domain.ids import TenantId
from projections.inline import Difference, Fold, InlineProjection, Part

STREAMS_AT_ONCE = 2000

_LOWEST, _HIGHEST = UUID(int=0), UUID(int=2**128 - 1)
_AS_NUMBER = attrgetter("int")  # the order in which PostgreSQL has them, too


async def differences(
    conn: AsyncConnection[TupleRow],
    tenant_id: TenantId,
    projection: InlineProjection,
    fold: Fold,
    among: Collection[UUID] | None = None,
) -> AsyncIterator[Difference]:
    """Tell where a table differs from its fold.

    Args:
        conn: of the tables' owner, in a transaction in which both are of one position.
        tenant_id: whose rows.
        projection: which table.
        fold: what it should be.
        among: only the rows of these streams; None for all that the table or the fold has.

    Yields:
        Each row that is not the same on both sides, in the order of the keys.
    """
    for part, streams in _parts_of(fold.streams()) if among is None else _parts_among(among):
        told = to_json([row for stream in streams for row in fold.rows_of(stream)])
        async for difference in projection.differing(conn, tenant_id, part, told):
            yield difference


def _parts_of(streams: Collection[UUID]) -> Iterator[tuple[Part, list[UUID]]]:
    """Cut all ids that can be into ranges, each with some of the streams."""
    first = _LOWEST
    batches = list(_batches(sorted(streams, key=_AS_NUMBER))) or [[]]
    for number, batch in enumerate(batches, start=1):
        last = batch[-1] if number < len(batches) else _HIGHEST
        yield Part(first, last), batch
        first = UUID(int=min(last.int + 1, _HIGHEST.int))


def _parts_among(streams: Iterable[UUID]) -> Iterator[tuple[Part, list[UUID]]]:
    for batch in _batches(sorted(streams, key=_AS_NUMBER)):
        yield Part(batch[0], batch[-1], batch), batch


def _batches(streams: Iterable[UUID]) -> Iterator[list[UUID]]:
    left = iter(streams)
    while batch := list(islice(left, STREAMS_AT_ONCE)):
        yield batch
