"""A log of any length, as the engine makes it: decided by the domain, appended by its function.

Stages are booked hour after hour: each time a hold that is confirmed, amended, and moved by half an
hour or, each fourth, cancelled. Only the commit queue is left out, for larger batches.
"""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count, islice

import psycopg
import uvloop
from pydantic_core import to_json

from domain.booking import Booking
from domain.claims import claims_from
from domain.ids import BookingId, ResourceId, TenantId
from domain.mapper import EventMapper
from domain.open_holds import holds_from
from domain.period import Period
from domain.resource import Resource
from infra.access import create_tenant
from infra.engine.assembly import LAPSE
from infra.identity import new_id
from infra.log.append import AppendCommand, NewEvent, ResourceRow, Verdict, append_batch
from infra.postgres.embedded import DATABASE, MIGRATOR, EmbeddedPostgres
from infra.postgres.pool import open_pool
from scripts.benchmarks.databases import runtime_dsn
from scripts.benchmarks.failure import BenchFailed

STAGES = 200
BATCH = 256  # commands
EVENTS_OF_A_BOOKING = 4

_FIRST_HOUR = datetime(2027, 3, 1, tzinfo=UTC)
_NOW = datetime(2027, 1, 1, tzinfo=UTC)
_HOUR = timedelta(hours=1)
_MAPPER = EventMapper()


def append_log(postgres: EmbeddedPostgres, slug: str, events: int) -> TenantId:
    """Makes a tenant and its log.

    Args:
        postgres: the server; the product's own database is taken.
        slug: the tenant's.
        events: how many, at least as many as there are stages.

    Raises:
        BenchFailed: a command was not accepted.
    """
    with psycopg.connect(postgres.dsn(MIGRATOR)) as conn:
        tenant_id = create_tenant(conn, slug, slug.title())
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_append(runtime_dsn(postgres, DATABASE), tenant_id, events))
    return tenant_id


async def _append(dsn: str, tenant_id: TenantId, events: int) -> None:
    stages = [ResourceId(new_id()) for _ in range(STAGES)]
    commands = islice(_commands(stages), events)
    pool = await open_pool(dsn, role="booking_api", max_size=1)
    try:
        while batch := [command.encode() for command in islice(commands, BATCH)]:
            async with pool.connection() as connection:
                outcomes = await append_batch(connection, {tenant_id: batch}, LAPSE)
            verdicts = {outcome.verdict for outcome in outcomes[tenant_id]}
            if verdicts != {Verdict.ACCEPTED}:
                raise BenchFailed(f"not every command was accepted: {verdicts}")
    finally:
        await pool.close()


def _commands(stages: list[ResourceId]) -> Iterator[AppendCommand]:
    """Gives commands of one event each, without an end."""
    for number, stage in enumerate(stages):
        yield _registered(stage, f"Stage {number}")
    for number in count():
        hour, place = divmod(number, len(stages))
        yield from _life_of_a_booking(stages[place], _FIRST_HOUR + hour * _HOUR, number)


def _life_of_a_booking(stage: ResourceId, start: datetime, number: int) -> Iterator[AppendCommand]:
    booking = Booking.place_hold(
        BookingId(new_id()),
        resource_ids=(stage,),
        period=Period(start, start + _HOUR / 2),
        hold_expires_at=None,
        details={
            "title": f"Commercial, day {number}",
            "customer": None,
            "notes": "Needs the loading dock.",
            "reference": f"PO-{number}",
            "attributes": {"crew": 14},
        },
        now=_NOW,
    )
    yield _appending(booking)
    booking.confirm("Contract signed", now=_NOW)
    yield _appending(booking)
    booking.amend({"title": f"Commercial, day {number}, second unit"}, now=_NOW)
    yield _appending(booking)
    if number % EVENTS_OF_A_BOOKING:
        later = start + _HOUR / 2
        booking.reschedule(start_time=later, end_time=start + _HOUR, resource_ids=None, now=_NOW)
    else:
        booking.cancel("Rain", now=_NOW)
    yield _appending(booking)


def _registered(stage: ResourceId, name: str) -> AppendCommand:
    resource = Resource.register(
        stage, name=name, kind="stage", timezone="Europe/Vienna", attributes={}, now=_NOW
    )
    row = ResourceRow(
        resource_id=stage,
        name=name,
        kind=resource.kind,
        timezone=resource.timezone,
        attributes=resource.attributes,
        retired=False,
        version=1,
    )
    return _appending(resource, row)


def _appending(thing: Booking | Resource, *rows: ResourceRow) -> AppendCommand:
    events = list(thing.collect_events())
    command_id = str(new_id())
    metadata = {
        "actor": "key:01981d2a-7c00-7a3e-8f10-5b1c6e2d9e05",
        "request_id": command_id,
        "correlation_id": command_id,
        "causation_id": command_id,
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    }
    stored = [_MAPPER.to_stored_event(event) for event in events]
    return AppendCommand(
        expect={thing.id: stored[0].originator_version - 1},
        events=tuple(
            NewEvent(
                thing.id,
                event.originator_version,
                event.topic,
                event.state.decode(),
                to_json(metadata).decode(),
            )
            for event in stored
        ),
        changes=claims_from(events),
        holds=holds_from(events),
        resources=rows,
    )
