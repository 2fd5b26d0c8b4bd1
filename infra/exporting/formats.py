"""How rows are written: CSV for spreadsheets, JSON Lines for programs, Parquet for analysis.

In the two that are text, times are ISO 8601 in UTC, always to the microsecond, and ids are text.
"""

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal, Protocol, get_args

from pydantic_core import to_json

from infra.exporting.contents import Kind, Row

Format = Literal["csv", "jsonl", "parquet"]
FORMATS: tuple[Format, ...] = get_args(Format)
Columns = Mapping[str, Kind]
WritePage = Callable[[Sequence[Row]], None]

# What a spreadsheet would run, were it to begin a cell: also after blanks, and the wide forms.
_FORMULA = re.compile(r"[\t\r\n]|\s*[-=+@＝＋－＠]")  # noqa: RUF001 - these are the wide forms
_NUMBERS = {"integer", "number"}


class FormatMissing(Exception):
    """What writes the format is not installed; says what to do."""


class Bytes(Protocol):
    """What is written to."""

    def write(self, some: bytes, /) -> object:
        """Takes some bytes, all of them."""


@contextmanager
def writing(columns: Columns, kept_as: Format, out: Bytes) -> Iterator[WritePage]:
    """Write pages of rows in a format.

    Args:
        columns: what the rows have.
        kept_as: the format.
        out: takes the bytes, page by page.

    Yields:
        Takes a page.

    Raises:
        FormatMissing: Parquet is asked for, and what writes it is not installed.
    """
    if kept_as == "parquet":
        try:
            from infra.exporting import parquet  # noqa: PLC0415 - slow to load, and may be missing
        except ImportError:
            raise FormatMissing(
                "Parquet needs pyarrow, which is not installed. Run scripts/setup, or take "
                "--format csv."
            ) from None
        with parquet.writing(columns, out) as write:
            yield write
    elif kept_as == "csv":
        yield _csv(columns, out)
    else:
        yield _jsonl(columns, out)


def _csv(columns: Columns, out: Bytes) -> WritePage:
    cells = [_number if kind in _NUMBERS else _cell for kind in columns.values()]
    plain = _plain(columns)

    def lines(rows: Sequence[Sequence[object]]) -> bytes:
        text = io.StringIO(newline="")
        csv.writer(text).writerows(rows)
        return text.getvalue().encode()

    def write(page: Sequence[Row]) -> None:
        out.write(
            lines(
                [
                    [cell(make(value)) for cell, make, value in zip(cells, plain, row, strict=True)]
                    for row in page
                ]
            )
        )

    out.write(lines([list(columns)]))
    return write


def _number(value: object) -> object:
    return value


def _cell(value: object) -> object:
    """Writes text so that no spreadsheet takes it for a formula; null is an empty cell."""
    if value is None:
        return None
    text = value if isinstance(value, str) else to_json(value).decode()
    return f"'{text}" if _FORMULA.match(text) else text


def _jsonl(columns: Columns, out: Bytes) -> WritePage:
    names, plain = list(columns), _plain(columns)

    def line(row: Row) -> bytes:
        made = [make(value) for make, value in zip(plain, row, strict=True)]
        return to_json(dict(zip(names, made, strict=True))) + b"\n"

    def write(page: Sequence[Row]) -> None:
        out.write(b"".join(map(line, page)))

    return write


def _plain(columns: Columns) -> list[Callable[[Any], object]]:
    """Tells how each column's values become what JSON has."""
    return [_PLAIN.get(kind, _number) for kind in columns.values()]


_PLAIN: Mapping[Kind, Callable[[Any], object]] = {
    "id": lambda each: None if each is None else str(each),
    "ids": lambda ids: [str(each) for each in ids],
    "day": lambda day: day.isoformat(),
    "time": lambda time: (
        None if time is None else time.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
    ),
}
