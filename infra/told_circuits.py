"""Circuits of processes that answer no requests, kept where those that do can read them.

A row is a teller's word about one circuit, or about many of one kind, and is believed for a while:
of a process that is gone nothing is left soon, also where nobody could say goodbye.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, Self
from uuid import UUID, uuid4

import psycopg
import structlog
from psycopg import AsyncConnection
from psycopg.rows import TupleRow, class_row

from infra.circuit_breaker import State
from infra.circuits import Circuits
from infra.errors import Overloaded
from infra.every_so_often import every_so_often
from infra.postgres.pool import Pool, borrowed, open_pool

log = structlog.get_logger(__name__)

Process = Literal["projector", "export"]

TELL_SECONDS = 5.0
HOLDS = timedelta(seconds=30)
"""For how long a word is believed of a process that goes on: several times TELL_SECONDS."""

EXPORT_HOLDS = timedelta(days=7)
_ALL_EXPORTS = UUID(int=0)  # one teller: the last one to end has the last word

_TELL = """
    insert into booking.told_circuit (process, teller, circuit, state, left_alone, holds_until)
    select %(process)s, %(teller)s, circuit, state, left_alone, clock_timestamp() + %(holds)s
      from unnest(%(circuits)s::text[], %(states)s::text[], %(left_alone)s::int[])
           told (circuit, state, left_alone)
     order by circuit
        on conflict on constraint told_circuit_pk do update
       set state = excluded.state, left_alone = excluded.left_alone,
           told_at = clock_timestamp(), holds_until = excluded.holds_until
"""
# What another one is about to purge, or its teller to renew, is not waited for.
_PURGE = """
    delete from booking.told_circuit
     where (process, teller, circuit) in (
               select process, teller, circuit
                 from booking.told_circuit
                where holds_until < clock_timestamp()
                  for update skip locked)
"""
# Of several tellers of one kind, the one that finds it worst.
_READ = """
    select distinct on (process, circuit)
           process, circuit, state, left_alone,
           extract(epoch from clock_timestamp() - told_at)::double precision as age,
           extract(epoch from holds_until - clock_timestamp())::double precision as holds
      from booking.told_circuit
     where holds_until > clock_timestamp()
     order by process, circuit, left_alone desc,
           array_position(array['open', 'half-open', 'closed'], state), told_at desc
"""


@dataclass(frozen=True, slots=True)
class Told:
    """What is told of all circuits with one name.

    Attributes:
        state: theirs; of several, the worst.
        left_alone: how many of them are not closed.
    """

    state: State
    left_alone: int

    @classmethod
    def of_many(cls, left_alone: int) -> Self:
        """Tell of many that have one name.

        Args:
            left_alone: how many of them are not closed.
        """
        return cls("open" if left_alone else "closed", left_alone)


@dataclass(frozen=True, slots=True)
class ToldCircuit:
    """What a process has told of a circuit.

    Attributes:
        process: what kind of process it was.
        circuit: its name.
        state: how it was; of several with one name, the worst.
        left_alone: how many of these were not closed, of the teller that found most.
        age: how many seconds ago that was told.
        holds: for how many seconds it is still believed.
    """

    process: Process
    circuit: str
    state: State
    left_alone: int
    age: float
    holds: float


def told_of(circuits: Circuits) -> dict[str, Told]:
    """What is to be told of the circuits of a process.

    Args:
        circuits: of the process.
    """
    return {name: Told(state, int(state != "closed")) for name, state in circuits.states().items()}


@asynccontextmanager
async def telling(pool: Pool, told: Callable[[], Mapping[str, Told]]) -> AsyncIterator[None]:
    """Tell now, every few seconds, and once more at the end.

    Args:
        pool: connections of `booking_projector`; it takes one now and then.
        told: how the circuits are, by their names.

    Yields:
        To what calls through these circuits.
    """
    teller = uuid4()

    async def tell() -> None:
        try:
            async with borrowed(pool) as conn:
                await tell_circuits(conn, "projector", teller, told(), HOLDS)
                await conn.execute(_PURGE)
        except Overloaded:  # the pool's log line says why
            return
        except psycopg.Error as error:
            log.warning("circuits.cannot_tell", error=type(error).__name__)

    await tell()
    async with every_so_often(tell, TELL_SECONDS):
        yield


@contextmanager
def told_after_export(runtime_dsn: str, circuits: Circuits) -> Iterator[None]:
    """Tell at the end what an export has found out, if anything. Blocking.

    Args:
        runtime_dsn: of a login that may become `booking_background`.
        circuits: of the process.

    Yields:
        To the export; how telling ends is none of its concern.
    """
    done = False
    try:
        yield
        done = True
    finally:
        told = told_of(circuits)
        # What fails with a closed circuit has shown nothing of the other side.
        if done or any(each.left_alone for each in told.values()):
            asyncio.run(_tell_of_export(runtime_dsn, told))


async def _tell_of_export(runtime_dsn: str, told: Mapping[str, Told]) -> None:
    try:
        pool = await open_pool(runtime_dsn, role="booking_background", max_size=1)
        try:
            async with pool.connection() as conn:
                await tell_circuits(conn, "export", _ALL_EXPORTS, told, EXPORT_HOLDS)
        finally:
            await pool.close()
    except psycopg.Error as error:
        log.warning("circuits.cannot_tell", error=type(error).__name__)


async def tell_circuits(
    conn: AsyncConnection[TupleRow],
    process: Process,
    teller: UUID,
    told: Mapping[str, Told],
    holds: timedelta,
) -> None:
    """Keep how circuits are, in the place of what the same teller said before.

    Args:
        conn: of the role `booking_projector` or `booking_background`, in autocommit.
        process: what kind of process tells.
        teller: which one.
        told: by the names of the circuits; these are the program's, never a tenant's.
        holds: for how long it is believed.
    """
    parameters = {
        "process": process,
        "teller": teller,
        "holds": holds,
        "circuits": list(told),
        "states": [each.state for each in told.values()],
        "left_alone": [each.left_alone for each in told.values()],
    }
    await conn.execute(_TELL, parameters)


async def read_circuits(conn: AsyncConnection[TupleRow]) -> list[ToldCircuit]:
    """Read what is still believed.

    Args:
        conn: of the role `booking_background`.
    """
    async with conn.cursor(row_factory=class_row(ToldCircuit)) as cursor:
        await cursor.execute(_READ)
        return await cursor.fetchall()
