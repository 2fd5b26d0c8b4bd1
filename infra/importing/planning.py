"""What a row of a table asks for: a booking of the named resources, or the reason it asks for none.

Ids are made of what the row says, so that a second run of the same file, or two runs at once, find
what stands already instead of making it again.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from domain.commands import Book, RegisterResource
from domain.errors import InvalidPeriod
from domain.ids import BookingId, ResourceId, TenantId
from domain.limits import MAX_NAME, MAX_REFERENCE, MAX_RESOURCES, MAX_TITLE
from domain.period import Period
from infra.importing.moments import NotAMoment, check_format, read_moment
from infra.importing.reading import CellRow, CsvFile, UnreadableRow

MAX_ROWS: Final = 1_000_000
"""Rows of a file; what is remembered of each to tell identical rows apart takes memory."""
_TOO_MANY: Final = f"it is behind the first {MAX_ROWS:,} rows: begin another file with it"


@dataclass(frozen=True, slots=True, kw_only=True)
class TableForm:
    """How a table says what is booked and when.

    Attributes:
        title: the column of the booking's title.
        resources: the column of the names of what is booked.
        starts: the column of the start.
        ends: the column of the end, exclusive.
        reference: the column of the booking's reference, if there is one.
        separator: what stands between two names.
        zone: where the clocks hang that times without an offset were read from.
        datetime_format: directives of `datetime.strptime`; ISO 8601 where there is none.
    """

    title: str
    resources: str
    starts: str
    ends: str
    reference: str | None = None
    separator: str = ","
    zone: ZoneInfo
    datetime_format: str | None = None


@dataclass(frozen=True, slots=True)
class PlannedRow:
    """A row that asks for a booking.

    Attributes:
        row: its number, counted from 1 behind the header.
        line: the line of the file that it starts on.
        booking_id: the same whenever the same row of the same file is planned.
        title: what the booking is called.
        names: of the resources; each once, in the order of the row.
        period: when.
        reference: the client's own number for the booking.
    """

    row: int
    line: int
    booking_id: BookingId
    title: str
    names: Sequence[str]
    period: Period
    reference: str | None

    def command(self, resource_ids: Mapping[str, ResourceId]) -> Book:
        """Make the command that books what the row asks for, confirmed.

        Args:
            resource_ids: the resource of each name.
        """
        return Book(
            booking_id=self.booking_id,
            # Two names may have come to mean one resource, if it was renamed since the last run.
            resource_ids=tuple(dict.fromkeys(resource_ids[name] for name in self.names)),
            period=self.period,
            status="confirmed",
            hold_expires_at=None,
            title=self.title,
            customer=None,
            notes=None,
            reference=self.reference,
            attributes={},
        )


@dataclass(frozen=True, slots=True)
class InvalidRow:
    """A row that no booking can be made of.

    Attributes:
        row: its number, counted from 1 behind the header.
        line: the line of the file that it starts on.
        title: what it calls itself, as far as that can be read.
        reason: why, for people.
    """

    row: int
    line: int
    title: str
    reason: str


class _Invalid(Exception):
    """A cell says what no booking can have."""


class Planner:
    """Plans the rows of one file, in their order."""

    def __init__(self, form: TableForm, file: CsvFile) -> None:
        """Find the columns.

        Args:
            form: where a row says what.
            file: whose rows will be planned.

        Raises:
            WrongFile: a column is missing.
            WrongFormat: no time can be read with the form's format.
        """
        if form.datetime_format is not None:
            check_format(form.datetime_format)
        self._form = form
        self._file = file
        self._title = file.column(form.title)
        self._resources = file.column(form.resources)
        self._starts = file.column(form.starts)
        self._ends = file.column(form.ends)
        self._reference = None if form.reference is None else file.column(form.reference)
        # How often a row has come, by the head of its digest. Should two rows share one, the second
        # is counted as another of the first: its id still is its own.
        self._seen: Counter[int] = Counter()

    def rows(self, tenant_id: TenantId) -> Iterator[PlannedRow | InvalidRow]:
        """Plan the rows one by one, as they are read; once.

        Args:
            tenant_id: whose bookings they will be.
        """
        for row in self._file:
            if row.row > MAX_ROWS:
                yield InvalidRow(row.row, row.line, "", _TOO_MANY)
            elif isinstance(row, UnreadableRow):
                yield InvalidRow(row.row, row.line, "", row.reason)
            else:
                yield self._plan(tenant_id, row)

    def _plan(self, tenant_id: TenantId, row: CellRow) -> PlannedRow | InvalidRow:
        title = row.cells[self._title].strip()
        try:
            _check_text("title", title, MAX_TITLE)
            names = self._names(row.cells[self._resources])
            period = self._period(row)
            reference = self._reference_of(row)
        except _Invalid as error:
            return InvalidRow(row.row, row.line, title[:MAX_TITLE], str(error))
        return PlannedRow(
            row=row.row,
            line=row.line,
            booking_id=self._booking_id(tenant_id, title, names, period, reference),
            title=title,
            names=names,
            period=period,
            reference=reference,
        )

    def _names(self, cell: str) -> tuple[str, ...]:
        parts = (" ".join(part.split()) for part in cell.split(self._form.separator))
        names = tuple(dict.fromkeys(name for name in parts if name))
        if not names:
            raise _Invalid("it names no resource")
        if len(names) > MAX_RESOURCES:
            raise _Invalid(
                f"it names {len(names)} resources; a booking has at most {MAX_RESOURCES}"
            )
        for name in names:
            _check_text("name of a resource", name, MAX_NAME)
        return names

    def _period(self, row: CellRow) -> Period:
        try:
            return Period(
                self._moment(row, self._starts, self._form.starts),
                self._moment(row, self._ends, self._form.ends),
            )
        except InvalidPeriod as error:
            raise _Invalid(error.reason) from None

    def _moment(self, row: CellRow, place: int, column: str) -> datetime:
        try:
            return read_moment(row.cells[place], self._form.zone, self._form.datetime_format)
        except NotAMoment as error:
            raise _Invalid(f"{column}: {error}") from None

    def _reference_of(self, row: CellRow) -> str | None:
        if self._reference is None:
            return None
        reference = row.cells[self._reference].strip()
        if not reference:
            return None
        _check_text("reference", reference, MAX_REFERENCE)
        return reference

    def _booking_id(
        self,
        tenant_id: TenantId,
        title: str,
        names: Sequence[str],
        period: Period,
        reference: str | None,
    ) -> BookingId:
        said = [title, names, period.start.isoformat(), period.end.isoformat(), reference]
        digest = sha256(json.dumps(said).encode()).digest()
        head = int.from_bytes(digest[:8], "big")
        self._seen[head] += 1
        return BookingId(_made_of(tenant_id, f"booking:{digest.hex()}:{self._seen[head]}"))


def registration(tenant_id: TenantId, name: str, *, kind: str, timezone: str) -> RegisterResource:
    """Make the command that registers a resource which a row names.

    Args:
        tenant_id: whose resource it will be.
        name: as the row has it, with single spaces.
        kind: what it is to the tenant.
        timezone: IANA name of the zone it stands in.

    Returns:
        The command; its resource has the same id whoever imports the name.
    """
    return RegisterResource(
        resource_id=ResourceId(_made_of(tenant_id, f"resource:{name}")),
        name=name,
        kind=kind,
        timezone=timezone,
        attributes={},
    )


def _made_of(tenant_id: TenantId, said: str) -> UUID:
    return uuid5(tenant_id, said)


def _check_text(what: str, text: str, longest: int) -> None:
    if not text:
        raise _Invalid(f"the {what} is empty")
    if "\0" in text:
        raise _Invalid(f"the {what} has a NUL character in it")
    if len(text) > longest:
        raise _Invalid(f"the {what} has {len(text):,} characters; at most {longest} are allowed")
