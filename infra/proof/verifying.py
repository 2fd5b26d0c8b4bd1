"""A tenant's whole log verified, where it stands, while bookings go on.

First the hashes alone, in a loop as tight as Python has it; then what the events say; then what is
folded from them. Each is timed for itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from infra.proof.chain import ChainCheck
from infra.proof.checkpoints import all_checkpoints
from infra.proof.comparing import COMPARERS, Comparer
from infra.proof.findings import Findings, Problem
from infra.proof.overlaps import OverlapCheck
from infra.proof.reading import Extent, log_in_parts, select_extent
from infra.proof.streams import StreamVersions
from infra.proof.trust import TrustedKeys, Worth
from infra.rebuilding import LogUnreadable, Standing, Tenant


@dataclass(slots=True)
class Seconds:
    """How long each part took.

    Attributes:
        hashes: gaps, hashes, the clock and the head.
        rest: versions, claims and checkpoints.
        comparison: what is folded from the log, held against a fresh fold.
    """

    hashes: float = 0.0
    rest: float = 0.0
    comparison: float = 0.0


@dataclass(slots=True)
class Verified:
    """What came of it.

    Attributes:
        tenant: whose log.
        position: of the last event.
        events: how many were checked.
        claims: how many were held against the others of their resource.
        checkpoints: how many a trusted key has signed.
        unknown_checkpoints: how many only keys have signed that are not trusted here.
        findings: what is wrong.
        standings: how the projections stand.
        not_compared: why these could not be compared; None where they were.
        seconds: how long it took.
    """

    tenant: Tenant
    position: int = 0
    events: int = 0
    claims: int = 0
    checkpoints: int = 0
    unknown_checkpoints: int = 0
    findings: Findings = field(default_factory=Findings)
    standings: list[Standing] = field(default_factory=list)
    not_compared: str | None = None
    seconds: Seconds = field(default_factory=Seconds)

    @property
    def is_wrong(self) -> bool:
        """Whether something was found to be wrong."""
        return bool(self.findings.count) or any(
            standing.not_compared is None and not standing.equal for standing in self.standings
        )

    @property
    def is_whole(self) -> bool:
        """Whether all was compared that is folded from the log, if it has an event at all."""
        return self.not_compared is None and all(
            standing.not_compared is None or standing.position == standing.behind == 0
            for standing in self.standings
        )

    @property
    def sound(self) -> bool:
        """Whether all was looked at, and nothing is wrong."""
        return self.is_whole and not self.is_wrong


async def verify(
    conn: AsyncConnection[TupleRow],
    tenant: Tenant,
    keys: TrustedKeys,
    comparers: Sequence[Comparer] = COMPARERS,
) -> Verified:
    """Verifies a log. Nothing waits for it, and what is appended meanwhile is left for next time.

    Args:
        conn: of the tables' owner, in autocommit.
        tenant: whose.
        keys: whose signatures count.
        comparers: hold against the log what is folded from it.
    """
    verified = Verified(tenant)
    extent = await select_extent(conn, tenant.tenant_id)
    if extent is None:
        verified.findings.add(
            Problem.HEAD, "the tenant has no row in booking.tenant_head, where its log ends"
        )
        return verified
    started = perf_counter()
    await _check_hashes(conn, extent, verified)
    hashed = perf_counter()
    await _check_events(conn, extent, verified)
    await _check_checkpoints(conn, keys, verified)
    checked = perf_counter()
    await _compare(conn, comparers, verified)
    compared = perf_counter()
    verified.seconds = Seconds(hashed - started, checked - hashed, compared - checked)
    return verified


async def _check_hashes(
    conn: AsyncConnection[TupleRow], extent: Extent, verified: Verified
) -> None:
    tenant_id = verified.tenant.tenant_id
    chain = ChainCheck(tenant_id, verified.findings)
    async for events in log_in_parts(conn, tenant_id, 0, extent.last_seq):
        chain.follow(events)
    chain.end_at(extent.head)
    verified.events, verified.position = chain.events, chain.end.seq


async def _check_events(
    conn: AsyncConnection[TupleRow], extent: Extent, verified: Verified
) -> None:
    versions, overlaps = StreamVersions(verified.findings), OverlapCheck(verified.findings)
    async for events in log_in_parts(conn, verified.tenant.tenant_id, 0, extent.last_seq):
        versions.follow(events)
        overlaps.follow(events)
    overlaps.finish()
    verified.claims = overlaps.claims


async def _check_checkpoints(
    conn: AsyncConnection[TupleRow], keys: TrustedKeys, verified: Verified
) -> None:
    async for kept in all_checkpoints(conn, verified.tenant.tenant_id):
        worth, position = keys.worth(kept.signed), kept.signed.checkpoint.seq
        if worth is Worth.FORGED:
            verified.findings.add(
                Problem.SIGNATURE, f"checkpoint: {worth.value}", position=position
            )
            continue
        if worth is Worth.GOOD:
            verified.checkpoints += 1
        else:
            verified.unknown_checkpoints += 1
        if not kept.stands:
            had = "another event" if kept.in_log else "no event"
            verified.findings.add(
                Problem.REWRITTEN,
                f"the log has {had} where a checkpoint was signed at "
                f"{kept.signed_at.isoformat(timespec='seconds')}: it was rewritten after that",
                position=position,
            )


async def _compare(
    conn: AsyncConnection[TupleRow], comparers: Sequence[Comparer], verified: Verified
) -> None:
    for comparer in comparers:
        try:
            verified.standings += await comparer(conn, verified.tenant)
        except LogUnreadable as error:
            verified.not_compared = str(error)
