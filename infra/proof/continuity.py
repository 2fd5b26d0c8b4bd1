"""Whether a log continues a signed checkpoint: what a rewritten history cannot.

Who keeps a checkpoint knows the hash of one event. If the log that stands has that hash at that
position, and every event after it follows, nothing before it was changed since it was signed: an
earlier event that was altered would have given other hashes from there on.
"""

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from infra.proof.chain import ChainCheck, StatedHead
from infra.proof.findings import Findings, Problem
from infra.proof.notes import Checkpoint
from infra.proof.reading import log_in_parts, select_extent
from infra.rebuilding import Tenant


async def check_continues(
    conn: AsyncConnection[TupleRow], tenant: Tenant, old: Checkpoint, new: Checkpoint | None
) -> tuple[int, Findings]:
    """Follows the log from a checkpoint to a later one, or to its end.

    Args:
        conn: of the tables' owner, in autocommit.
        tenant: whose log.
        old: where to begin; its signatures have been seen to.
        new: where to end; None for where the log ends.

    Returns:
        The position that was reached, and what is wrong.
    """
    findings = Findings()
    extent = await select_extent(conn, tenant.tenant_id)
    end = extent.head if extent else StatedHead(0, b"", 0)
    until = new.seq if new else extent.last_seq if extent else 0
    await _check_event(conn, tenant, old, findings)
    chain = ChainCheck(tenant.tenant_id, findings, after=StatedHead(old.seq, old.hash, 0))
    async for events in log_in_parts(conn, tenant.tenant_id, old.seq, until):
        chain.follow(events)
    if new is None:
        if chain.events:
            chain.end_at(end)
    elif (chain.end.seq, chain.end.hash) != (new.seq, new.hash):
        _rewritten(new, findings)
    return chain.end.seq, findings


async def _check_event(
    conn: AsyncConnection[TupleRow], tenant: Tenant, old: Checkpoint, findings: Findings
) -> None:
    async for events in log_in_parts(conn, tenant.tenant_id, old.seq - 1, old.seq):
        if [event.hash for event in events] == [old.hash]:
            return
    _rewritten(old, findings)


def _rewritten(checkpoint: Checkpoint, findings: Findings) -> None:
    findings.add(
        Problem.REWRITTEN,
        "the log does not have the event of this checkpoint: it was rewritten after it was signed",
        position=checkpoint.seq,
    )
