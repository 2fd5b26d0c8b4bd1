"""The report of an import: whole, or not there."""

import json
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from domain.ids import BookingId
from infra.importing.outcome import Counts, InTheWay, Problem
from infra.importing.report import ReportFile

INVALID = Problem(3, 4, "invalid", "Ärger", "no time")
REFUSED = Problem(
    7,
    9,
    "refused",
    "Night",
    "taken already: Stage",
    (
        InTheWay(
            "Stage",
            BookingId(UUID(int=1)),
            datetime(2027, 1, 1, 9, tzinfo=UTC),
            datetime(2027, 1, 1, 10, 0, 0, 5, tzinfo=UTC),
            "held",
        ),
    ),
)


def test_a_report_has_the_counts_and_a_line_for_each_problem(tmp_path: Path) -> None:
    file, counts = tmp_path / "report.json", Counts()
    with ReportFile(file, counts) as report:
        report.add(INVALID)
        report.add(REFUSED)
        counts.imported, counts.refused, counts.invalid, counts.resources = 5, 1, 1, 3

    assert json.loads(file.read_text(encoding="utf-8")) == {
        "rows": 7,
        "imported": 5,
        "already_imported": 0,
        "refused": 1,
        "invalid": 1,
        "resources": 3,
        "problems": [
            {
                "row": 3,
                "line": 4,
                "outcome": "invalid",
                "title": "Ärger",
                "reason": "no time",
                "conflicts": [],
            },
            {
                "row": 7,
                "line": 9,
                "outcome": "refused",
                "title": "Night",
                "reason": "taken already: Stage",
                "conflicts": [
                    {
                        "resource": "Stage",
                        "booking_id": "00000000-0000-0000-0000-000000000001",
                        "start_time": "2027-01-01T09:00:00Z",
                        "end_time": "2027-01-01T10:00:00.000005Z",
                        "status": "held",
                    }
                ],
            },
        ],
    }
    assert sum("outcome" in line for line in file.read_text(encoding="utf-8").splitlines()) == 2


def test_a_report_without_problems_is_json_too(tmp_path: Path) -> None:
    with ReportFile(tmp_path / "report.json", Counts(imported=1)):
        pass

    assert json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["problems"] == []


def test_an_import_that_is_stopped_still_has_its_report(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    with suppress(KeyboardInterrupt), ReportFile(file, Counts(invalid=1)) as report:
        report.add(INVALID)
        raise KeyboardInterrupt

    assert json.loads(file.read_text(encoding="utf-8"))["invalid"] == 1


def test_the_old_report_stands_until_the_new_one_is_whole(tmp_path: Path) -> None:
    file, link = tmp_path / "report.json", tmp_path / "latest.json"
    file.write_text("old")
    link.symlink_to(file)
    with ReportFile(link, Counts()) as report:
        report.add(INVALID)
        assert file.read_text() == "old"

    assert link.is_symlink()
    assert json.loads(file.read_text(encoding="utf-8"))["problems"]
    assert len(list(tmp_path.iterdir())) == 2


def test_a_report_that_cannot_be_written_is_known_at_once(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "missing" / "report.json"):
        with pytest.raises(OSError, match="directory"), ReportFile(place, Counts()):
            pytest.fail("it was opened")
