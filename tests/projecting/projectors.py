"""Projectors as processes of their own, which can be killed, and the tally that checks them.

They are forked from a process that has everything imported, so that a new one works at once.
"""

import asyncio
import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.context import ForkServerProcess

import psycopg

from domain.mapper import EVENTS
from infra.postgres import listening
from infra.postgres.pool import Pool, open_pool
from infra.projecting import ProjectionRunner, runner
from projections.asynchronous import Batch, Projection
from projections.catalogue import ASYNCHRONOUS

TALLY_TABLE = """
create table booking.tally (
    tenant_id   uuid    not null,
    generation  int     not null,
    seq         bigint  not null,
    times       int     not null,
    constraint tally_pk primary key (tenant_id, generation, seq)
);
grant select, insert, update, delete on booking.tally to booking_projector;
"""
_COUNT = """
insert into tally as kept (tenant_id, generation, seq, times)
select %(tenant_id)s, %(generation)s, seq, 1
  from unnest(%(seqs)s::bigint[]) seq
    on conflict on constraint tally_pk do update
   set times = kept.times + 1
"""


async def _count(batch: Batch) -> None:
    seqs = [event.seq for event in batch.events]
    parameters = {"tenant_id": batch.tenant_id, "generation": batch.generation, "seqs": seqs}
    await batch.conn.execute(_COUNT, parameters)


TALLY = Projection(
    name="tally",
    version=1,
    handles=frozenset(event.TOPIC for events in EVENTS.values() for event in events),
    ignores=frozenset(),
    tables=("tally",),
    apply=_count,
)
"""How often each event was applied: twice would be seen, which a set of rows might hide."""

PROJECTIONS = (*ASYNCHRONOUS, TALLY)


class Projectors:
    """Some projectors beside one another, each in a process."""

    def __init__(self, dsn: str, number: int) -> None:
        self._dsn = dsn
        self._forks = multiprocessing.get_context("forkserver")
        self._forks.set_forkserver_preload([__name__])
        self._processes = [self._begun() for _ in range(number)]

    def kill(self, which: int) -> None:
        """Kills one, which has to be alive until then, and begins another in its place."""
        which %= len(self._processes)
        assert self._processes[which].is_alive()
        self._end(self._processes[which])
        self._processes[which] = self._begun()

    def end(self) -> None:
        for process in self._processes:
            self._end(process)

    def _begun(self) -> ForkServerProcess:
        process = self._forks.Process(target=_work, args=[self._dsn], daemon=True)
        process.start()
        return process

    def _end(self, process: ForkServerProcess) -> None:
        process.kill()
        process.join()


@contextmanager
def projectors(dsn: str, number: int) -> Iterator[Projectors]:
    running = Projectors(dsn, number)
    try:
        yield running
    finally:
        running.end()


def _work(dsn: str) -> None:
    # They are back at work in a moment, to be hit while they work.
    runner.PAUSE_SECONDS = listening.AGAIN_SECONDS = 0.02
    asyncio.run(_project(dsn))


async def _project(dsn: str) -> None:
    pool = await _pool(dsn)
    await ProjectionRunner(pool, PROJECTIONS, events_at_once=20, poll_seconds=0.2).run(dsn)


async def _pool(dsn: str) -> Pool:
    while True:
        try:
            return await open_pool(dsn, role="booking_projector", max_size=3)
        except psycopg.OperationalError:  # whoever starts it would start it again
            await asyncio.sleep(0.05)
