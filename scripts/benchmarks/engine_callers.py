"""The engine in process, without HTTP: callers that each book again as soon as they are answered.

Started by `in_process.working`, with a database that has been migrated and holds the tenants.
"""

import asyncio
import secrets
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from itertools import count
from uuid import UUID

import typer
import uvloop

from api.garbage import spare_the_long_lived
from domain.commands import Book, RegisterResource
from domain.ids import BookingId, ResourceId, TenantId
from domain.period import Period
from infra.engine import Accepted, BookingEngine, Caller, Command, CommandRequest, running_engine
from infra.identity import new_id
from infra.master_key import MasterKey
from infra.telemetry.logging import configure_logging
from infra.telemetry.metrics import Metrics
from scripts.benchmarks.failure import BenchFailed
from scripts.benchmarks.in_process import take_loads
from scripts.benchmarks.requests import NOTES, TITLE, slot_of

Places = list[tuple[TenantId, ResourceId]]

_ACTOR = "bench"


def serve(dsn: str, callers: int, resources: int, tenants: list[UUID]) -> None:
    """Take loads until standard input ends.

    Args:
        dsn: the runtime's connection string.
        callers: at once.
        resources: how many to register, for each tenant in turn.
        tenants: their ids.
    """
    configure_logging("WARNING", "console")
    numbers = count()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        stack = AsyncExitStack()
        engine = runner.run(_start(stack, dsn))
        places = runner.run(_register(engine, resources, [TenantId(each) for each in tenants]))
        spare_the_long_lived()
        take_loads(lambda seconds: runner.run(_load(engine, places, callers, seconds, numbers)))
        runner.run(stack.aclose())


async def _start(stack: AsyncExitStack, dsn: str) -> BookingEngine:
    master_key = MasterKey(secrets.token_bytes(32))
    running = await stack.enter_async_context(running_engine(dsn, master_key, Metrics()))
    return running.engine


async def _register(engine: BookingEngine, resources: int, tenants: list[TenantId]) -> Places:
    async def register(number: int) -> tuple[TenantId, ResourceId]:
        tenant_id, resource_id = tenants[number % len(tenants)], ResourceId(new_id())
        command = RegisterResource(
            resource_id=resource_id,
            name=f"Stage {number:04}",
            kind="stage",
            timezone="Europe/Vienna",
            attributes={},
        )
        await _do(engine, tenant_id, command)
        return tenant_id, resource_id

    return await asyncio.gather(*map(register, range(resources)))


async def _load(
    engine: BookingEngine, places: Places, callers: int, seconds: float, numbers: Iterator[int]
) -> tuple[float, list[float]]:
    latencies: list[float] = []
    started = time.perf_counter()

    async def book_again_and_again() -> None:
        while (asked := time.perf_counter()) < started + seconds:
            await _book(engine, places, next(numbers))
            latencies.append(time.perf_counter() - asked)

    await asyncio.gather(*(book_again_and_again() for _ in range(callers)))
    return time.perf_counter() - started, latencies


async def _book(engine: BookingEngine, places: Places, number: int) -> None:
    slot = slot_of(number, len(places))
    tenant_id, resource_id = places[slot.place]
    command = Book(
        booking_id=BookingId(new_id()),
        resource_ids=(resource_id,),
        period=Period(slot.start, slot.end),
        status="confirmed",
        hold_expires_at=None,
        title=TITLE,
        customer=None,
        notes=NOTES,
        reference=f"PO-{number}",
        attributes={"crew": 14},
    )
    await _do(engine, tenant_id, command)


async def _do(engine: BookingEngine, tenant_id: TenantId, command: Command) -> None:
    caller = Caller(tenant_id, _ACTOR, str(new_id()))
    result = await engine.execute(caller, CommandRequest(command))
    if not isinstance(result, Accepted):
        raise BenchFailed(f"{command} was refused: {result}")


if __name__ == "__main__":
    typer.run(serve)
