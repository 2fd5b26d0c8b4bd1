"""What became of the rows of a file: counts, and a problem for each that was not imported."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Literal

from pydantic import JsonValue
from pydantic_core import to_jsonable_python

from domain.errors import (
    DomainError,
    InvalidPeriod,
    InvalidResources,
    ResourceRetired,
    SlotTaken,
    UnknownResources,
)
from domain.ids import BookingId, ResourceId
from infra.errors import EngineError
from infra.importing.planning import InvalidRow, PlannedRow


@dataclass(slots=True)
class Counts:
    """How many rows, and what became of them.

    Attributes:
        imported: booked by this run.
        already_imported: booked by an earlier run, or by another that runs beside this one.
        refused: not booked, since others have the resources or these take no bookings.
        invalid: not booked, since no booking can be made of what they say.
        resources: registered by this run, for rows refused too.
    """

    imported: int = 0
    already_imported: int = 0
    refused: int = 0
    invalid: int = 0
    resources: int = 0

    @property
    def rows(self) -> int:
        """How many rows were dealt with."""
        return self.imported + self.already_imported + self.refused + self.invalid

    def as_json(self) -> dict[str, int]:
        """Give the counts under their names."""
        return {"rows": self.rows, **asdict(self)}


@dataclass(frozen=True, slots=True)
class InTheWay:
    """A claim that kept a row from being booked.

    Attributes:
        resource: the name the row has for what both want.
        booking_id: the booking that has it.
        start_time: when that starts, in UTC.
        end_time: when that ends, in UTC, exclusive.
        status: how it has it.
    """

    resource: str
    booking_id: BookingId
    start_time: datetime
    end_time: datetime
    status: Literal["held", "confirmed", "same-request"]


@dataclass(frozen=True, slots=True)
class Problem:
    """A row that was not imported.

    Attributes:
        row: its number, counted from 1 behind the header.
        line: the line of the file that it starts on.
        outcome: whether it could have been a booking.
        title: what it calls itself; empty where that cannot be read.
        reason: why, for people.
        conflicts: the bookings in its way, each with what it has.
    """

    row: int
    line: int
    outcome: Literal["refused", "invalid"]
    title: str
    reason: str
    conflicts: tuple[InTheWay, ...] = ()

    def as_json(self) -> dict[str, JsonValue]:
        """Give the problem as plain JSON, its times as RFC 3339."""
        plain: dict[str, JsonValue] = to_jsonable_python(self)
        return plain


def invalid(row: InvalidRow) -> Problem:
    """State what is wrong with a row."""
    return Problem(row.row, row.line, "invalid", row.title, row.reason)


def refused(
    row: PlannedRow, error: DomainError | EngineError, resource_ids: Mapping[str, ResourceId]
) -> Problem:
    """State why a row was refused.

    Args:
        row: what was asked for.
        error: why not.
        resource_ids: the resource of each name in the row.
    """
    names = {resource_ids[name]: name for name in reversed(row.names)}
    conflicts: tuple[InTheWay, ...] = ()
    if isinstance(error, SlotTaken):
        conflicts = tuple(
            InTheWay(
                names[conflict.resource_id],
                conflict.booking_id,
                conflict.start_time,
                conflict.end_time,
                conflict.status,
            )
            for conflict in error.conflicts
        )
    return Problem(row.row, row.line, "refused", row.title, _reason(error, names), conflicts)


def _reason(error: DomainError | EngineError, names: Mapping[ResourceId, str]) -> str:
    match error:
        case SlotTaken(conflicts):
            return f"taken already: {_named([taken.resource_id for taken in conflicts], names)}"
        case ResourceRetired(resource_ids):
            return f"retired, takes no new bookings: {_named(resource_ids, names)}"
        case UnknownResources(resource_ids):
            return f"no longer there: {_named(resource_ids, names)}"
        case InvalidPeriod(reason) | InvalidResources(reason):
            return reason
        case _:
            return f"{type(error).__name__}: {error}"


def _named(resource_ids: Iterable[ResourceId], names: Mapping[ResourceId, str]) -> str:
    return "; ".join(names[resource_id] for resource_id in dict.fromkeys(resource_ids))
