"""What is wrong with a log: where, in which stream, and what."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from pydantic import JsonValue

SHOWN = 100
"""How many findings of one log are kept; all are counted."""


class Problem(StrEnum):
    """What can be wrong with a log."""

    MISSING = "missing"
    MISPLACED = "misplaced"
    ALTERED = "altered"
    SWAPPED = "swapped"
    CLOCK = "clock"
    VERSION = "version"
    HEAD = "head"
    TAIL = "tail"
    REWRITTEN = "rewritten"
    SIGNATURE = "signature"
    OVERLAP = "overlap"
    UNREADABLE = "unreadable"
    MALFORMED = "malformed"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        problem: of which kind.
        detail: what, in a sentence.
        position: where in the log; None where it is at no one event.
        stream_id: which booking or resource; None likewise.
    """

    problem: Problem
    detail: str
    position: int | None = None
    stream_id: UUID | None = None

    def facts(self) -> dict[str, JsonValue]:
        """Gives it to machines."""
        return {
            "problem": self.problem.value,
            "position": self.position,
            "stream_id": None if self.stream_id is None else str(self.stream_id),
            "detail": self.detail,
        }

    def text(self) -> str:
        """Gives it to people, in one line."""
        where = [] if self.position is None else [f"position {self.position:,}"]
        where += [] if self.stream_id is None else [f"stream {self.stream_id}"]
        return ": ".join([*([", ".join(where)] if where else []), self.problem, self.detail])


class Findings:
    """What was found in one log: a log that is wrong from end to end takes no more memory for it.

    Attributes:
        count: how many things are wrong.
    """

    def __init__(self) -> None:
        """Nothing is wrong yet."""
        self.count = 0
        self._shown: list[Finding] = []

    def add(
        self,
        problem: Problem,
        detail: str,
        *,
        position: int | None = None,
        stream_id: UUID | None = None,
    ) -> None:
        """Notes one thing more."""
        self.count += 1
        if len(self._shown) < SHOWN:
            self._shown.append(Finding(problem, detail, position, stream_id))

    def __iter__(self) -> Iterator[Finding]:
        """Gives the first of them."""
        return iter(self._shown)

    def facts(self) -> list[JsonValue]:
        """Gives the first of them to machines."""
        return [finding.facts() for finding in self._shown]
