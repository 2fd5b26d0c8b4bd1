"""CSV that no spreadsheet runs, whatever was written into it."""

import csv
from io import BytesIO, StringIO

import pytest

from infra.exporting import writing


def cell(value: object) -> str:
    out = BytesIO()
    with writing({"one": "text", "other": "number"}, "csv", out) as write:
        write([(value, -1.5)])
    header, row = csv.reader(StringIO(out.getvalue().decode(), newline=""))
    assert (header, row[1]) == (["one", "other"], "-1.5")  # a number is none that could be run
    return row[0]


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "＝1", "＠A"],  # noqa: RUF001
)
def test_what_a_spreadsheet_would_run_is_text(text: str) -> None:
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize(
    "text", ["", "Pilot", "a=b", 'said "x", twice', "two\r\nlines", "Ümlaut 🎬"]
)
def test_all_else_stands_as_it_is(text: str) -> None:
    assert cell(text) == text
