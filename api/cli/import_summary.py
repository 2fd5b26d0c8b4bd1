"""What an import comes to, for whoever waits for it: figures, examples, what to do next."""

from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final

from infra.importing.outcome import Counts, InTheWay, Problem

EXAMPLES: Final = 10
WAYS: Final = 3
"""How many bookings in the way of one row are shown."""


@dataclass
class ImportResult:
    """What is known of an import, also when it is stopped.

    Attributes:
        report: where the report is, if one was asked for.
        counts: what became of the rows.
        examples: the first rows that were not imported.
        ending: why it ended before the file did; None where it did not.
    """

    report: Path | None
    counts: Counts = field(default_factory=Counts)
    examples: list[Problem] = field(default_factory=list)
    ending: str | None = "it was interrupted"

    @property
    def findings(self) -> bool:
        """Whether something is left to do."""
        return bool(self.counts.refused or self.counts.invalid or self.ending)

    def note(self, problem: Problem) -> None:
        """Remember a problem, if it is one of the first."""
        if len(self.examples) < EXAMPLES:
            self.examples.append(problem)

    def text(self) -> str:
        """Say it in lines for people."""
        return "\n".join([*self._figures(), *self._examples(), *self._next_steps()])

    def _figures(self) -> list[str]:
        counts = self.counts
        before = f"{counts.already_imported:,} were imported before, "
        line = (
            f"{_many(counts.rows, 'row')}: {counts.imported:,} imported, "
            f"{before if counts.already_imported else ''}"
            f"{counts.refused:,} refused, {counts.invalid:,} invalid; "
            f"{_many(counts.resources, 'new resource')} registered."
        )
        return [line]

    def _examples(self) -> list[str]:
        lines: list[str] = []
        for problem in self.examples:
            where = f"row {problem.row} (line {problem.line}) {problem.title!r}"
            lines.append(f"  {where}, {problem.outcome}: {_shown(problem.reason)}")
            bookings = {way.booking_id: way for way in problem.conflicts}
            lines += [_way(way) for way in islice(bookings.values(), WAYS)]
        more = self.counts.refused + self.counts.invalid - len(self.examples)
        return [*lines, f"  … and {_many(more, 'more row')}"] if more else lines

    def _next_steps(self) -> list[str]:
        steps: list[str] = []
        if self.counts.refused:
            steps.append(
                "Refused rows: give them another time, or cancel or move the booking in their way."
            )
        if self.counts.invalid:
            steps.append("Invalid rows: correct them in the file.")
        if self.ending:
            steps.append(
                f"Stopped before the end of the file, nothing is half done: {self.ending}."
            )
        if self.findings:
            steps.append("Then run the same command again: it books only what is missing.")
            steps.append(
                f"All of them, with what is in their way: {self.report}"
                if self.report
                else "To have all of them in a file, add --report FILE.json"
            )
        else:
            steps.append("Nothing is left to do.")
        return steps


def _way(way: InTheWay) -> str:
    since, until = (f"{time:%Y-%m-%d %H:%M}" for time in (way.start_time, way.end_time))
    return f"      by booking {way.booking_id}, {way.status}, {since} to {until} UTC"


def _shown(text: str) -> str:
    """Keep what a file says from steering the terminal."""
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text
    )


def _many(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
