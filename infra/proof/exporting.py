"""A tenant's log written down, so that it can be checked without this database or this program."""

from typing import BinaryIO

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from infra.proof.checkpoints import select_checkpoints
from infra.proof.export_format import MAX_CHECKPOINTS, Header, event_line, head_line, header_line
from infra.proof.notes import Checkpoint
from infra.proof.reading import log_in_parts, select_extent
from infra.proof.trust import TrustedKeys
from infra.rebuilding import LogUnreadable, Tenant


async def export_log(
    conn: AsyncConnection[TupleRow], tenant: Tenant, keys: TrustedKeys, out: BinaryIO
) -> int:
    """Writes a log as it stands, whatever is wrong with it; what is appended meanwhile is left out.

    Args:
        conn: of the tables' owner, in autocommit.
        tenant: whose.
        keys: what checkpoints are signed with.
        out: takes the lines, a part of the log at a time.

    Returns:
        How many events were written.

    Raises:
        LogUnreadable: the tenant has no head.
    """
    # Before the end is looked for: what was signed by then has to be in the log.
    kept = await select_checkpoints(conn, tenant.tenant_id, limit=MAX_CHECKPOINTS)
    extent = await select_extent(conn, tenant.tenant_id)
    if extent is None:
        raise LogUnreadable(
            f"The tenant {tenant.slug!r} has no row in booking.tenant_head, where its log ends. "
            "Restore that from a backup."
        )
    notes = tuple(each.signed.note for each in kept)
    origin = Checkpoint(tenant.tenant_id, 0, b"").origin
    out.write(header_line(Header(tenant.tenant_id, tuple(keys.verifier_texts(origin)), notes)))
    count = 0
    async for events in log_in_parts(conn, tenant.tenant_id, 0, extent.last_seq):
        out.writelines(event_line(event) for event in events)
        count += len(events)
    out.write(head_line(extent.head))
    return count
