"""Whether a log continues a signed checkpoint: what a rewritten history cannot.

Whoever keeps a checkpoint knows the hash of one event, and that hash covers all events up to it. So
the log is followed from its beginning, each hash computed again: where the event of the checkpoint
has the hash that was signed, nothing before it has changed since; and what comes after follows it.
"""

from collections.abc import Sequence

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from domain.ids import TenantId
from infra.log.hash_chain import ChainedEvent
from infra.proof.chain import ChainCheck
from infra.proof.findings import Findings, Problem
from infra.proof.notes import Checkpoint
from infra.proof.reading import log_in_parts, select_extent


async def check_continues(
    conn: AsyncConnection[TupleRow], tenant_id: TenantId, checkpoints: Sequence[Checkpoint]
) -> tuple[int, Findings]:
    """Follows the log to its end, and sees that it passes by checkpoints.

    Args:
        conn: of the tables' owner, in autocommit.
        tenant_id: whose log.
        checkpoints: which; their signatures have been seen to.

    Returns:
        The position of the log's last event, and what is wrong.
    """
    findings = Findings()
    awaited = set(checkpoints)
    chain = ChainCheck(tenant_id, findings)
    extent = await select_extent(conn, tenant_id)
    if extent is not None:
        async for events in log_in_parts(conn, tenant_id, 0, extent.last_seq):
            chain.follow(events)
            _pass_by(awaited, events)
        chain.end_at(extent.head)
    for seq in sorted(checkpoint.seq for checkpoint in awaited):
        there = "has another event than the one" if seq <= chain.end.seq else "lacks the event"
        detail = f"the log {there} that was signed here: it was rewritten since"
        findings.add(Problem.REWRITTEN, detail, position=seq)
    return chain.end.seq, findings


def _pass_by(awaited: set[Checkpoint], events: Sequence[ChainedEvent]) -> None:
    """Strike out the checkpoints whose events are there as they were signed."""
    positions = {checkpoint.seq for checkpoint in awaited}
    hashes = {event.seq: event.hash for event in events if event.seq in positions}
    awaited -= {each for each in awaited if hashes.get(each.seq) == each.hash}
