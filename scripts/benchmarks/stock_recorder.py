"""The library's own recorder for PostgreSQL, with its default settings, recording bookings.

Each call records one event as the engine would write it, and the booking's reservation in the same
transaction, as the library has it: in an override of `_insert_events`. It decides nothing, checks
no resource, and has no tenants, receipts or hashes. Started by `in_process.working`.
"""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import count
from typing import Any
from uuid import UUID

import typer
from eventsourcing.persistence import ApplicationRecorder, StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresFactory
from eventsourcing.utils import Environment
from psycopg import Cursor
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import DictRow
from pydantic_core import to_json

from api.garbage import spare_the_long_lived
from domain.booking_events import Booked
from domain.mapper import EventMapper
from infra.identity import new_id
from scripts.benchmarks.in_process import take_loads
from scripts.benchmarks.requests import NOTES, TITLE, Slot, slot_of

_TENANT = UUID(int=0)  # one for all: the library has none
_INSERT = """
    INSERT INTO plain.reservation
        (tenant_id, resource_id, booking_id, start_time, end_time, status, hold_expires_at)
    VALUES (%s, %s, %s, %s, %s, 'confirmed', NULL)
"""


class _RecorderOfClaims(PostgresApplicationRecorder):
    def _insert_events(
        self,
        curs: Cursor[DictRow],
        stored_events: Sequence[StoredEvent],
        **kwargs: Any,  # noqa: ANN401 - the library's signature
    ) -> None:
        super()._insert_events(curs, stored_events, **kwargs)
        curs.execute(_INSERT, kwargs["claim"])


class _Factory(PostgresFactory):
    application_recorder_class = _RecorderOfClaims


def serve(dsn: str, threads: int, resources: int) -> None:
    """Take loads until standard input ends.

    Args:
        dsn: of the database's owner; the recorder makes its own table.
        threads: at once.
        resources: among how many the bookings are spread.
    """
    numbers, places = count(), [new_id() for _ in range(resources)]
    factory = _Factory(Environment(env=environment_of(dsn)))
    recorder = factory.application_recorder()
    _check_state(places[0])
    spare_the_long_lived()

    def record_until(end: float) -> list[float]:
        latencies: list[float] = []
        while (asked := time.perf_counter()) < end:
            _record(recorder, places, next(numbers))
            latencies.append(time.perf_counter() - asked)
        return latencies

    def run(seconds: float) -> tuple[float, list[float]]:
        started = time.perf_counter()
        each = executor.map(record_until, [started + seconds] * threads)
        latencies = [latency for of_thread in each for latency in of_thread]
        return time.perf_counter() - started, latencies

    with ThreadPoolExecutor(threads) as executor:
        take_loads(run)
    factory.close()


def environment_of(dsn: str) -> dict[str, str]:
    """Tell the library's settings for a database.

    Args:
        dsn: its connection string.
    """
    given = conninfo_to_dict(dsn)
    return {
        "POSTGRES_DBNAME": str(given["dbname"]),
        "POSTGRES_HOST": str(given["host"]),
        "POSTGRES_PORT": str(given["port"]),
        "POSTGRES_USER": str(given["user"]),
        "POSTGRES_PASSWORD": "none is asked for",
    }


def _record(recorder: ApplicationRecorder, places: Sequence[UUID], number: int) -> None:
    slot, booking_id = slot_of(number, len(places)), new_id()
    resource_id = places[slot.place]
    claim = (_TENANT, resource_id, booking_id, slot.start, slot.end)
    event = StoredEvent(booking_id, 1, Booked.TOPIC, _state(resource_id, slot, number))
    recorder.insert_events([event], claim=claim)


def _state(resource_id: UUID, slot: Slot, number: int) -> bytes:
    return to_json(
        {
            "resource_ids": [resource_id],
            "start_time": slot.start,
            "end_time": slot.end,
            "title": TITLE,
            "customer": None,
            "notes": NOTES,
            "reference": f"PO-{number}",
            "attributes": {"crew": 14},
        }
    )


def _check_state(resource_id: UUID) -> None:
    """Sees that the states are those of a booking: the engine's mapper reads them."""
    state = _state(resource_id, slot_of(0, 1), 0)
    EventMapper().to_domain_event(
        StoredEvent(new_id(), 1, Booked.TOPIC, state), recorded_at=datetime.now(UTC)
    )


if __name__ == "__main__":
    typer.run(serve)
