"""The report of an import as a JSON file, written while the import runs."""

import json
import os
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from infra.importing.outcome import Counts, Problem


class ReportFile:
    """`{"problems": […], "rows": …, …}`, a line for each problem; whole, or not there.

    Problems are written as they come, since a large file may have more of them than memory holds.
    The file gets its name at the end: whoever finds it by that name finds all of it.
    """

    def __init__(self, path: Path, counts: Counts) -> None:
        """Begin a report.

        Args:
            path: its name; a file that has it is replaced in the end.
            counts: read when the report ends.
        """
        self._path = path.resolve()  # where a link leads
        # A device or pipe is written to as it is: it must not be replaced.
        own_name = self._path.exists() and not self._path.is_file()
        self._unfinished = (
            self._path if own_name else self._path.with_name(f".{path.name}.{os.getpid()}")
        )
        self._counts = counts
        self._file: IO[str]
        self._before = "\n"

    def __enter__(self) -> Self:
        """Open it, so that one that cannot be written is known before anything is imported.

        Raises:
            OSError: it cannot be written.
        """
        self._file = self._unfinished.open("w", encoding="utf-8")
        self._file.write('{"problems": [')
        return self

    def add(self, problem: Problem) -> None:
        """Write a problem behind those before."""
        self._file.write(self._before + json.dumps(problem.as_json(), ensure_ascii=False))
        self._before = ",\n"

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Finish it, also when the import was stopped: what was decided until then stands."""
        counts = json.dumps(self._counts.as_json())
        self._file.write(f"\n],\n{counts[1:]}\n")
        self._file.close()
        if self._unfinished != self._path:
            self._unfinished.replace(self._path)
