"""The benchmark of proof: how fast a log is verified."""

import asyncio
from collections.abc import Callable, Sequence
from statistics import median

import uvloop

from infra.postgres.embedded import DATABASE, MIGRATOR, EmbeddedPostgres
from infra.postgres.migrator import migrate
from infra.postgres.pool import open_pool
from infra.projecting import ProjectionRunner
from infra.proof.trust import TrustedKeys
from infra.proof.verifying import Verified, verify
from infra.rebuilding import chosen_tenants, owner_session
from projections.catalogue import ASYNCHRONOUS
from scripts.benchmarks.databases import owner_dsn, runtime_dsn
from scripts.benchmarks.failure import BenchFailed
from scripts.benchmarks.logs import append_log
from scripts.benchmarks.subjects import own_postgres

EVENTS = 200_000
TARGET_RATE = 50_000

_SLUG = "bench"


def measure_audit(events: int, rounds: int, progress: Callable[[str], None]) -> Sequence[Verified]:
    """Makes a log and verifies it.

    Args:
        events: of the log.
        rounds: how often it is verified.
        progress: is told what is going on.

    Returns:
        What came of each time.

    Raises:
        BenchFailed: the log was not found sound.
    """
    with own_postgres() as (postgres, _):
        migrate(postgres.dsn(MIGRATOR))
        progress(f"appending {events:,} events …")
        append_log(postgres, _SLUG, events)
        progress("verifying …")
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_project(postgres))
            found = [runner.run(_verify(postgres)) for _ in range(rounds)]
    for verified in found:
        if not verified.sound or verified.events != events:
            raise BenchFailed(f"the log of {verified.events:,} events was not found sound")
    return found


def report_audit(found: Sequence[Verified]) -> str:
    """Tells the medians.

    Args:
        found: of each round.
    """
    events = found[0].events
    hashes = median(verified.seconds.hashes for verified in found)
    rest = median(verified.seconds.rest for verified in found)
    comparison = median(verified.seconds.comparison for verified in found)
    return (
        f"audit verify of {events:,} events, the median of {len(found)} rounds\n"
        f"  hashes: {events / hashes:,.0f} events/s   target ≥ {TARGET_RATE:,}   "
        f"({hashes:.2f} s: gaps, hashes, the clock, the head)\n"
        f"  events: {events / rest:,.0f} events/s   ({rest:.2f} s: versions, "
        f"{found[0].claims:,} claims held against the others of their resource)\n"
        f"  all projections against a fresh fold: {events / comparison:,.0f} events/s   "
        f"({comparison:.2f} s: {', '.join(sorted(each.projection for each in found[0].standings))})"
    )


async def _project(postgres: EmbeddedPostgres) -> None:
    pool = await open_pool(runtime_dsn(postgres, DATABASE), role="booking_projector", max_size=3)
    await ProjectionRunner(pool, ASYNCHRONOUS).catch_up()
    await pool.close()


async def _verify(postgres: EmbeddedPostgres) -> Verified:
    async with owner_session(owner_dsn(postgres, DATABASE)) as conn:
        [tenant] = await chosen_tenants(conn, _SLUG)
        return await verify(conn, tenant, TrustedKeys())
