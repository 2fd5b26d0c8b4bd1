"""The library's own projection runner, with its default settings, projecting bookings for a list.

It takes one event after the other, each in a transaction that also says how far it is. The view has
the columns of a list of bookings, without tenants, resources' places in time, or generations.
"""

import time
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, cast
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event
from eventsourcing.persistence import Tracking
from eventsourcing.postgres import PostgresDatastore, PostgresTrackingRecorder
from eventsourcing.projection import Projection, ProjectionRunner
from psycopg import Cursor
from psycopg.rows import DictRow
from psycopg.sql import SQL, Composed, Identifier

from scripts.benchmarks.many_lives import FIRST_DAY, SHIFT
from scripts.benchmarks.stock_recorder import environment_of

EVENTS_A_SHOOT = 2
SHOOTS_AT_ONCE = 200
LONGEST = timedelta(minutes=10)

_CREATE = """
    CREATE TABLE IF NOT EXISTS {}.shoot (
        booking_id uuid PRIMARY KEY,
        status text NOT NULL,
        start_time timestamptz NOT NULL,
        end_time timestamptz NOT NULL,
        title text NOT NULL,
        notes text,
        reference text
    )
"""
_INSERT = """
    INSERT INTO {}.shoot (booking_id, status, start_time, end_time, title, notes, reference)
    VALUES (%s, 'held', %s, %s, %s, %s, %s)
"""
_UPDATE = "UPDATE {}.shoot SET status = 'confirmed' WHERE booking_id = %s"


class Shoot(Aggregate):
    """A booking as the library's user would write one."""

    @event("Held")
    def __init__(
        self, start_time: datetime, end_time: datetime, title: str, notes: str, reference: str
    ) -> None:
        """Begin as a hold."""
        self.start_time = start_time
        self.end_time = end_time
        self.title = title
        self.notes = notes
        self.reference = reference
        self.status = "held"

    @event("Confirmed")
    def confirm(self) -> None:
        """Become firm."""
        self.status = "confirmed"


class ShootList(PostgresTrackingRecorder):
    """The view: a table, and how far it is."""

    def __init__(self, datastore: PostgresDatastore, **kwargs: Any) -> None:  # noqa: ANN401 - the library's signature
        """Add its table to those that the library makes."""
        super().__init__(datastore, **kwargs)
        self.sql_create_statements.append(self._in_schema(_CREATE))
        self._insert, self._update = self._in_schema(_INSERT), self._in_schema(_UPDATE)

    def _in_schema(self, statement: str) -> Composed:
        return SQL(cast("Any", statement)).format(Identifier(self.datastore.schema))

    def add(self, shoot_id: UUID, held: Any, tracking: Tracking) -> None:  # noqa: ANN401 - its class is made by a decorator
        """Write a new one."""
        columns = (held.start_time, held.end_time, held.title, held.notes, held.reference)
        with self.datastore.transaction(commit=True) as cursor:
            self._write(cursor, self._insert, (shoot_id, *columns), tracking)

    def confirm(self, shoot_id: UUID, tracking: Tracking) -> None:
        """Write that one is firm."""
        with self.datastore.transaction(commit=True) as cursor:
            self._write(cursor, self._update, (shoot_id,), tracking)

    def _write(
        self, cursor: Cursor[DictRow], statement: Composed, row: tuple[Any, ...], tracking: Tracking
    ) -> None:
        self._insert_tracking(cursor, tracking)
        cursor.execute(statement, row, prepare=True)


class ShootsProjected(Projection[ShootList]):
    """From events to the view."""

    name = "shoots"

    def process_event(self, domain_event: Any, tracking: Tracking) -> None:  # noqa: ANN401 - the library's signature
        """Do to the view what an event says."""
        if type(domain_event).__name__ == "Held":
            self.view.add(domain_event.originator_id, domain_event, tracking)
        else:
            self.view.confirm(domain_event.originator_id, tracking)


def library_catches_up(dsn: str, events: int) -> float:
    """Make a log of the library's, and have its runner project it.

    Args:
        dsn: of the owner of an empty database.
        events: how many.

    Returns:
        Seconds from the runner's start until it has projected the last one.
    """
    settings = {
        **environment_of(dsn),
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
    }
    application = Application[UUID](settings)
    last = _make(application, events)
    application.close()
    started = time.perf_counter()
    with ProjectionRunner(
        application_class=Application[UUID],
        projection_class=ShootsProjected,
        view_class=ShootList,
        env=settings,
    ) as runner:
        runner.wait(last, timeout=LONGEST.total_seconds())
        return time.perf_counter() - started


def _make(application: Application[UUID], events: int) -> int:
    last = 0
    numbers = iter(range(events // EVENTS_A_SHOOT))
    while some := [*islice(numbers, SHOOTS_AT_ONCE)]:
        recordings = application.save(*[_shoot(number) for number in some])
        last = recordings[-1].notification.id
    return last


def _shoot(number: int) -> Shoot:
    start = FIRST_DAY + SHIFT * number
    shoot = Shoot(
        start,
        start + SHIFT,
        f"Commercial {number}",
        "Blacked-out windows, two trucks at the ramp.",
        f"PO-{number}",
    )
    shoot.confirm()
    return shoot
