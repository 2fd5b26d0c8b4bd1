"""The log as it stands in the database, for whoever checks it."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from domain.ids import TenantId
from infra.log.hash_chain import ChainedEvent
from infra.proof.chain import StatedHead

POSITIONS_AT_ONCE = 5000

_TO_1970 = 946_684_800_000_000  # microseconds to PostgreSQL's own epoch, the year 2000
_NEVER = 2**63 - 1  # 'infinity', which is in no year


@dataclass(frozen=True, slots=True)
class Extent:
    """How far a log reaches: by its head, and by its last event; both of one moment."""

    head: StatedHead
    last_seq: int


async def select_extent(conn: AsyncConnection[TupleRow], tenant_id: TenantId) -> Extent | None:
    """Reads how far a log reaches.

    Args:
        conn: of the tables' owner.
        tenant_id: whose log.

    Returns:
        It; None where the tenant has no head.
    """
    cursor = conn.cursor(binary=True)
    await cursor.execute(
        """
        select head.seq, head.hash, timestamptz_send(head.recorded_at),
               coalesce((select max(event.seq)
                           from booking.event
                          where event.tenant_id = head.tenant_id), 0)
          from booking.tenant_head head
         where head.tenant_id = %s
        """,
        [tenant_id],
    )
    row = await cursor.fetchone()
    if row is None:
        return None
    seq, hash_, recorded_at, last_seq = row
    return Extent(StatedHead(seq, hash_, _microseconds(recorded_at)), last_seq)


async def log_in_parts(
    conn: AsyncConnection[TupleRow], tenant_id: TenantId, after: int, until: int
) -> AsyncIterator[Sequence[ChainedEvent]]:
    """Reads a log from one position to another, a part at a time.

    What is appended never changes, so no snapshot is kept meanwhile: an old one would keep the
    server from clearing away. Times are taken as PostgreSQL has them, since a damaged one may be in
    no year that Python knows.

    Args:
        conn: of the tables' owner, in autocommit.
        tenant_id: whose log.
        after: the position before the first one wanted.
        until: the last position wanted.

    Yields:
        The events of some positions, in order; perhaps none, where events are missing.
    """
    first = after
    while first < until:
        events = await _select_events(conn, tenant_id, first, min(first + POSITIONS_AT_ONCE, until))
        yield events
        # A forged event may stand anywhere: over a wide gap there is one leap.
        first = first + POSITIONS_AT_ONCE if events else await _before_next(conn, tenant_id, first)


async def _select_events(
    conn: AsyncConnection[TupleRow], tenant_id: TenantId, after: int, until: int
) -> Sequence[ChainedEvent]:
    cursor = conn.cursor(binary=True)
    await cursor.execute(
        """
        select seq, uuid_send(stream_id), version, timestamptz_send(recorded_at), topic, state,
               metadata, hash
          from booking.event
         where tenant_id = %s and seq > %s and seq <= %s
         order by seq
        """,
        [tenant_id, after, until],
    )
    return [
        ChainedEvent(
            seq, stream, version, _microseconds(recorded_at), topic, state, metadata, stated
        )
        for seq, stream, version, recorded_at, topic, state, metadata, stated in (
            await cursor.fetchall()
        )
    ]


async def _before_next(conn: AsyncConnection[TupleRow], tenant_id: TenantId, after: int) -> int:
    cursor = await conn.execute(
        """
        select coalesce(min(seq) - 1, %(last)s)
          from booking.event
         where tenant_id = %(tenant)s and seq > %(after)s
        """,
        {"tenant": tenant_id, "after": after, "last": _NEVER},
    )
    [[before]] = await cursor.fetchall()
    return int(before)


def _microseconds(sent: bytes) -> int:
    return min(int.from_bytes(sent, signed=True) + _TO_1970, _NEVER)
