"""A CSV file as rows of cells, one at a time, whatever is wrong with some of them.

The file is read as UTF-8 (a byte order mark is skipped). A row that cannot be read is handed on as
an `UnreadableRow`, and reading goes on behind it. Memory stays bounded: a row is at most MAX_ROW
characters, however many lines it has.
"""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import TextIOWrapper
from typing import BinaryIO, Final, TextIO

MAX_ROW: Final = 1 << 20
"""Characters of a row, line ends included."""

# Bytes that are not UTF-8 come through decoding as these (PEP 383), so that reading goes on.
_UNDECODED = re.compile("[\udc80-\udcff]")
_UTF_16_MARKS: Final = ("\udcff\udcfe", "\udcfe\udcff")


class WrongFile(Exception):
    """The file as a whole cannot be imported; the message says why and what to do."""


class _RowTooLong(Exception):
    """A row went over MAX_ROW."""


@dataclass(frozen=True, slots=True)
class CellRow:
    """A row of the file.

    Attributes:
        row: its number, counted from 1 behind the header.
        line: the line of the file that it starts on, counted from 1.
        cells: as many as the header has.
    """

    row: int
    line: int
    cells: Sequence[str]


@dataclass(frozen=True, slots=True)
class UnreadableRow:
    """A row of the file that is not as the header says, or not text.

    Attributes:
        row: its number, counted from 1 behind the header.
        line: the line of the file that it starts on, counted from 1.
        reason: what is wrong with it.
    """

    row: int
    line: int
    reason: str


class _Lines:
    """The lines of a file for csv.reader: counted, and no more than MAX_ROW characters a row."""

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self.read = 0
        self.characters = 0
        self._of_row = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._text.readline(MAX_ROW + 1)
        if not line:
            raise StopIteration
        if self.read == 0 and line.startswith(_UTF_16_MARKS):
            raise WrongFile("the file is UTF-16: save it as UTF-8 and import that")
        self.read += 1
        self._of_row += len(line)
        self.characters += len(line)
        if self._of_row > MAX_ROW:
            while line and line[-1] not in "\r\n":
                line = self._text.readline(MAX_ROW + 1)
                self.characters += len(line)
            raise _RowTooLong
        return line

    def begin_row(self) -> None:
        self._of_row = 0


def decoded(file: BinaryIO) -> TextIO:
    """Decode a file so that `CsvFile` can read it.

    Args:
        file: at its start; is closed with what is returned.
    """
    return TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")


class CsvFile:
    """The rows of a CSV file with a header.

    Attributes:
        header: the names of its columns.
    """

    def __init__(self, text: TextIO) -> None:
        """Read the header.

        Args:
            text: `decoded`, at its start; stays the caller's to close.

        Raises:
            WrongFile: it is empty, encoded otherwise, or its first line is no header.
        """
        self._lines = _Lines(text)
        self._rows = csv.reader(self._lines, strict=True)
        self._row = 0
        try:
            self.header: Sequence[str] = tuple(name.strip() for name in next(self._rows))
        except StopIteration:
            raise WrongFile("the file is empty: its first line must name the columns") from None
        except (csv.Error, _RowTooLong) as error:
            raise WrongFile(f"the first line, which must name the columns: {error}") from None

    @property
    def characters_read(self) -> int:
        """How much of the file has been read, in characters."""
        return self._lines.characters

    def column(self, name: str) -> int:
        """Find a column.

        Args:
            name: as the header has it, but for white space around it.

        Returns:
            Its place in a row's cells.

        Raises:
            WrongFile: there is none of that name, or several.
        """
        match self.header.count(name.strip()):
            case 1:
                return self.header.index(name.strip())
            case 0:
                raise WrongFile(f"there is no column {name!r}. {self._columns()}")
            case times:
                raise WrongFile(f"{times} columns are named {name!r}: rename all but one")

    def _columns(self) -> str:
        shown = ", ".join(repr(name) for name in self.header)
        hint = " Cells are separated by commas; is it something else here?"
        return f"The file has: {shown}.{hint if len(self.header) == 1 else ''}"

    def __iter__(self) -> Iterator[CellRow | UnreadableRow]:
        """Yield the rows in order; lines with nothing on them are no rows."""
        while True:
            self._lines.begin_row()
            line = self._lines.read + 1
            try:
                cells = next(self._rows)
            except StopIteration:
                return
            except csv.Error as error:
                reason = f"not readable as CSV: {error}{self._spanned(line)}"
            except _RowTooLong:
                reason = f"longer than {MAX_ROW:,} characters{self._spanned(line)}"
            else:
                if not cells:
                    continue
                reason = self._flaw(cells, line)
            self._row += 1
            if reason:
                yield UnreadableRow(self._row, line, reason)
            else:
                yield CellRow(self._row, line, cells)

    def _flaw(self, cells: Sequence[str], first_line: int) -> str:
        for place, cell in enumerate(cells):
            if undecoded := _UNDECODED.search(cell):
                column = self.header[place] if place < len(self.header) else place + 1
                byte = ord(undecoded[0]) - 0xDC00
                return f"not UTF-8 (byte 0x{byte:02X} in column {column!r}): save the file as UTF-8"
        if len(cells) != len(self.header):
            spanned = self._spanned(first_line)
            return f"{len(cells)} cells where the header has {len(self.header)}{spanned}"
        return ""

    def _spanned(self, first_line: int) -> str:
        """Name the lines that a broken row took with it, if it was more than its first."""
        if self._lines.read <= first_line:
            return ""
        return f" (lines {first_line} to {self._lines.read}; is a quotation mark not closed?)"
