"""An asynchronous projection: tables that follow the log, a batch of events at a time.

The runner (`infra.projecting`) gives a projection one tenant's next events, in one transaction with
the checkpoint: each event is applied exactly once, whatever is killed. A new read model is a folder
with one of these in it, its tables in a migration and its line in `projections.catalogue`.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from domain.ids import TenantId
from domain.mapper import UnknownTopic


@dataclass(frozen=True, slots=True)
class UpcastEvent:
    """An event as a projection gets it.

    Attributes:
        seq: its position in the tenant's log.
        stream_id: the booking or resource that it happened to.
        version: its place among the events of its stream, from 1.
        topic: what happened.
        facts: what it says, brought up to today's version; JSON values.
        metadata: who caused it, and by what, as the JSON text that was written.
        recorded_at: when, in UTC.
    """

    seq: int
    stream_id: UUID
    version: int
    topic: str
    facts: Mapping[str, Any]
    metadata: str
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class Batch:
    """One tenant's next events, and where to project them to.

    Attributes:
        conn: of the role `booking_projector`, in the transaction that moves the checkpoint.
        tenant_id: whose events.
        generation: a part of the key of every row that is written or read.
        events: in the order of the log, none of a topic that the projection ignores.
    """

    conn: AsyncConnection[TupleRow]
    tenant_id: TenantId
    generation: int
    events: Sequence[UpcastEvent]


@dataclass(frozen=True)
class Projection:
    """One asynchronous projection, as one version of the code makes it.

    Attributes:
        name: as the command line and the metrics call it.
        version: raised when the same events shall make other rows; the new ones are built beside
            those that are read, and take their place when they have caught up.
        handles: the topics that do something to its tables.
        ignores: the topics that do nothing to them, on purpose: a topic in neither is an error.
        tables: those that it writes, in the schema booking; each has the columns tenant_id and
            generation. `apply` calls them without a schema, so that the same statements can write a
            fresh fold elsewhere.
        apply: does to the tables what the events say. It depends on nothing but these and the
            tables themselves, so that a fold of the same events makes the same rows.
    """

    name: str
    version: int
    handles: frozenset[str]
    ignores: frozenset[str]
    tables: tuple[str, ...]
    apply: Callable[[Batch], Awaitable[None]]

    def chosen(self, events: Sequence[UpcastEvent]) -> list[UpcastEvent]:
        """Give the events that do something.

        Args:
            events: any.

        Raises:
            UnknownTopic: of one nothing is said; the log was written by a newer program.
        """
        chosen = [event for event in events if event.topic in self.handles]
        if len(chosen) < len(events):
            for event in events:
                if event.topic not in self.handles and event.topic not in self.ignores:
                    raise UnknownTopic(f"{event.topic} is not known to the projection {self.name}")
        return chosen
