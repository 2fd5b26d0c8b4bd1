"""Every query in docs/analytics.md runs, finds something, and has the columns that stand there."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import polars as pl
import psycopg
import pytest

from infra.exporting import BOOKINGS, EVENTS, UTILISATION
from infra.postgres.reader_logins import grant_reader
from tests.exporting.conftest import Ground

PAGE = Path(__file__).parents[2] / "docs" / "analytics.md"
LOGIN = "worked_queries_analyst"

_WORKED = re.compile(
    r"```(?:sql|python)\n(?P<query>.*?)```\n\n```text\n(?P<printed>.*?)```", re.DOTALL
)


@dataclass(frozen=True)
class Worked:
    """A query of the page, and what stands there as its answer."""

    query: str
    printed: str

    def stands_for(self, columns: Sequence[str], rows: int) -> None:
        assert rows > 0
        headings = [re.findall(r"\w+", line) for line in self.printed.splitlines()]
        assert list(columns) in headings


def worked(section: str) -> list[Worked]:
    [text] = re.findall(
        rf"^## {section}\n(.*?)(?=^## )", PAGE.read_text(), re.DOTALL | re.MULTILINE
    )
    found = [Worked(each["query"], each["printed"]) for each in _WORKED.finditer(text)]
    assert len(found) == len(re.findall(r"```(?:sql|python)", text)) > 0
    return found


@pytest.fixture
def exports(exported_ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("utilisation.parquet").write_bytes(exported_ground.export(UTILISATION, "parquet"))
    Path("bookings.csv").write_bytes(exported_ground.export(BOOKINGS, "csv"))
    Path("events.jsonl").write_bytes(exported_ground.export(EVENTS, "jsonl"))


def test_the_queries_of_an_analyst_in_the_database(exported_ground: Ground) -> None:
    with psycopg.connect(exported_ground.database.owner_dsn) as owner:
        granted = grant_reader(owner, exported_ground.tenant(), LOGIN, "analyst")
    as_analyst = psycopg.conninfo.make_conninfo(
        exported_ground.database.owner_dsn, user=LOGIN, password=granted.password or ""
    )
    with psycopg.connect(as_analyst) as analyst:
        for each in worked("psql"):
            cursor = analyst.execute(each.query.encode())
            each.stands_for([column.name for column in cursor.description or ()], cursor.rowcount)
        slugs = analyst.execute("select slug from analytics.tenants").fetchall()
        [(neighbours,)] = analyst.execute(
            "select count(*) from analytics.resources where name = 'Not to be seen'"
        ).fetchall()
    assert (slugs, neighbours) == ([("nova",)], 0)


@pytest.mark.usefixtures("exports")
def test_the_queries_of_exports_in_duckdb() -> None:
    with duckdb.connect() as conn:
        for each in worked("DuckDB"):
            found = conn.sql(each.query)
            each.stands_for(found.columns, len(found.fetchall()))


@pytest.mark.usefixtures("exports")
def test_the_queries_of_exports_in_polars() -> None:
    for each in worked("Polars"):
        names: dict[str, pl.DataFrame] = {}
        exec(each.query, names)  # noqa: S102 - our own page
        each.stands_for(names["result"].columns, len(names["result"]))
