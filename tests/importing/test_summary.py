"""The summary of an import: figures, a few examples, and what to do next."""

from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from api.cli.import_summary import ImportResult
from domain.ids import BookingId
from infra.importing.outcome import Counts, InTheWay, Problem


def refused(row: int, *ways: InTheWay, reason: str = "taken already: Stage") -> Problem:
    return Problem(row, row + 1, "refused", f"Take {row}", reason, ways)


def way(booking: int, resource: str = "Stage") -> InTheWay:
    return InTheWay(
        resource,
        BookingId(UUID(int=booking)),
        datetime(2027, 1, 1, 9, tzinfo=UTC),
        datetime(2027, 1, 1, 10, tzinfo=UTC),
        "confirmed",
    )


def test_an_import_without_problems_leaves_nothing_to_do() -> None:
    result = ImportResult(None, Counts(imported=1, already_imported=1200, resources=1), ending=None)

    assert not result.findings
    figures, step = result.text().splitlines()
    assert figures.startswith("1,201 rows: 1 imported, 1,200 were imported before, 0 refused, ")
    assert figures.endswith("0 invalid; 1 new resource registered.")
    assert step == "Nothing is left to do."


def test_a_booking_in_the_way_is_named_once_for_all_it_has() -> None:
    result = ImportResult(Path("r.json"), Counts(refused=1), ending=None)
    result.note(refused(1, way(1, "Stage"), way(1, "Camera"), way(2)))

    lines = result.text().splitlines()
    assert sum("by booking" in line for line in lines) == 2
    assert lines[-1].endswith("r.json")


def test_only_the_first_problems_are_shown_and_the_others_counted() -> None:
    result = ImportResult(None, Counts(refused=25), ending=None)
    for row in range(1, 26):
        result.note(refused(row))

    text = result.text()
    assert "'Take 10'" in text
    assert "'Take 11'" not in text
    assert "… and 15 more rows" in text
    assert "--report FILE.json" in text


def test_a_file_cannot_steer_the_terminal() -> None:
    result = ImportResult(None, Counts(refused=1), ending=None)
    result.note(Problem(1, 2, "refused", "\x1b[2J", "taken already: \x1b]0;x\x07"))

    assert not {"\x1b", "\x07"} & set(result.text())


def test_an_import_that_did_not_end_is_a_finding_whatever_it_counted() -> None:
    result = ImportResult(None, Counts(imported=3), ending="row 4 could not be decided")

    assert result.findings
    assert "row 4 could not be decided" in result.text()
    assert "run the same command again" in result.text()
