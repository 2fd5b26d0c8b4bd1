"""Projectors, their database and the network between them are killed fifty times under load.

Then every projection is what a fresh fold of the log makes, and no event was applied twice.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest

from domain.booking import Booking
from domain.ids import BookingId
from infra.database import Database
from infra.engine import Accepted, CommandRequest, running_engine
from infra.master_key import MasterKey
from infra.postgres.embedded import MIGRATOR, RUNTIME, SUPERUSER, EmbeddedPostgres
from infra.postgres.migrator import migrate
from infra.projecting.comparing import asynchronous_standings
from infra.rebuilding import Tenant, owner_session
from infra.telemetry.metrics import Metrics
from tests.engine.conftest import Studio, make_tenant
from tests.engine.losing_proxy import losing_proxy
from tests.kill_postgres import kill_postgres
from tests.projecting.projectors import PROJECTIONS, TALLY_TABLE, projectors
from tests.rebuilding.wandering import Wanderer
from tests.scratch import scratch_directory

FAULTS = ["projector"] * 20 + ["network"] * 15 + ["connections"] * 10 + ["database"] * 5
MOMENT = 0.07
EVENTS = 25
"""At least so many in each log, however slow the machine."""
_CUT = """
select pg_terminate_backend(pid)
  from pg_stat_activity
 where application_name in ('booking_projector', 'booking_listener')
"""
_BEHIND = """
select count(*)
  from booking.tenant_head head
 cross join unnest(%s::text[]) wanted (projection)
  left join booking.projection_checkpoint checkpoint
    on checkpoint.tenant_id = head.tenant_id
   and checkpoint.projection = wanted.projection
   and checkpoint.is_live
 where checkpoint.seq is distinct from head.seq
"""
_NOT_ONCE = """
select *
  from booking.event
  full join booking.tally using (tenant_id, seq)
 where times is distinct from 1
"""


class Mortal:
    """A server that is not shared with any other test, and can be killed."""

    def __init__(self, directory: Path, postgres: EmbeddedPostgres) -> None:
        self._directory = directory
        self._postgres = postgres
        self.database = Database(postgres.dsn(RUNTIME), postgres.dsn(MIGRATOR))

    async def kill(self) -> None:
        """Kills it, and has it recover."""
        kill_postgres(self._directory / "cluster")
        await asyncio.to_thread(self._postgres.revive)

    def cut_connections(self) -> None:
        with psycopg.connect(self._postgres.dsn(SUPERUSER), autocommit=True) as conn:
            conn.execute(_CUT)


@pytest.fixture
def mortal(postgres_programs: Path | None) -> Iterator[Mortal]:
    with scratch_directory("booking-mortal-") as directory:
        place = Path(directory) / "postgres"
        # The machine itself goes on, so what was written is there without waiting for its disk.
        with EmbeddedPostgres(place, postgres_programs, settings={"fsync": "off"}) as postgres:
            migrate(postgres.dsn(MIGRATOR))
            yield Mortal(place, postgres)


async def test_after_fifty_faults_under_load_each_event_was_applied_once(
    mortal: Mortal, master_key: MasterKey
) -> None:
    database = mortal.database
    tenants = {slug: make_tenant(database, slug) for slug in ("one", "two", "three")}
    with psycopg.connect(database.owner_dsn) as conn:
        conn.execute(TALLY_TABLE)
    dice = random.Random(7)  # noqa: S311 - the same faults each time
    faults = dice.sample(FAULTS, len(FAULTS))
    async with (
        losing_proxy(database.runtime_dsn) as (network, dsn),
        running_engine(database.runtime_dsn, master_key, Metrics()) as running,
    ):
        studios = [
            Studio(running.engine, tenant, database.owner_dsn) for tenant in tenants.values()
        ]
        with projectors(dsn, 2) as processes:
            async with load_on(studios):
                for number, fault in enumerate(faults):
                    await asyncio.sleep(MOMENT)
                    match fault:
                        case "projector":
                            processes.kill(number)
                        case "network":
                            network.lose_answers(2, after=dice.randrange(6))
                            if number % 2:
                                await network.close()
                        case "connections":
                            mortal.cut_connections()
                        case "database":
                            await mortal.kill()
            await until_caught_up(database)
    for slug, tenant_id in tenants.items():
        async with owner_session(database.owner_dsn) as owner:
            found = await asynchronous_standings(owner, Tenant(tenant_id, slug), PROJECTIONS)
        assert all(standing.equal for standing in found), found
        assert {standing.projection for standing in found} == {each.name for each in PROJECTIONS}
        assert min(standing.position for standing in found) > EVENTS
    with psycopg.connect(database.owner_dsn) as conn:
        assert conn.execute(_NOT_ONCE).fetchall() == []


@asynccontextmanager
async def load_on(studios: list[Studio]) -> AsyncIterator[None]:
    """Has callers ask for whatever they like meanwhile; many an answer is that it cannot be now."""
    stop = asyncio.Event()

    async def ask(seed: int, studio: Studio) -> None:
        wanderer = Wanderer(studio, seed, [await studio.resource(f"{n}") for n in range(3)])
        while not stop.is_set():
            command = wanderer._of_booking()
            result = await studio.engine.execute(studio.caller, CommandRequest(command))
            if isinstance(result, Accepted) and isinstance(result.aggregate, Booking):
                wanderer.bookings.append(BookingId(result.aggregate.id))
            await asyncio.sleep(0.005)

    async with asyncio.TaskGroup() as group:
        for seed, studio in enumerate(studios * 2):
            group.create_task(ask(seed, studio))
        try:
            yield
        finally:
            stop.set()


async def until_caught_up(database: Database) -> None:
    """Waits until the projectors have found back by themselves."""
    names = [each.name for each in PROJECTIONS]
    with psycopg.connect(database.owner_dsn, autocommit=True) as conn:
        async with asyncio.timeout(20):
            while conn.execute(_BEHIND, [names]).fetchone() != (0,):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
