"""What an export holds: one tenant's rows of one moment, in columns that stay, of nobody's life."""

import csv
import io
import json
import tracemalloc
from datetime import UTC, date, datetime
from pathlib import Path

import psycopg
import pyarrow as pa  # type: ignore[import-untyped]
import pytest
from pyarrow import parquet

from infra.access import create_tenant
from infra.database import Database
from infra.exporting import (
    BOOKINGS,
    EVENTS,
    REFUSALS,
    UTILISATION,
    Contents,
    NotProjected,
    Window,
    WrongWindow,
    days,
    moments,
    opened_export,
)
from infra.exporting.contents import Kind
from infra.exporting.reading import ROWS_AT_ONCE
from infra.rebuilding import LogUnreadable
from tests.exporting.conftest import ALWAYS, FORMULA, NEXT_JUNE, Ground

ALL = (UTILISATION, BOOKINGS, REFUSALS, EVENTS)
PAGE = Path(__file__).parents[2] / "docs" / "analytics.md"


def rows(ground: Ground, contents: Contents, window: Window = ALWAYS) -> list[dict[str, object]]:
    return [json.loads(line) for line in ground.export(contents, "jsonl", window).splitlines()]


def cells(text: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text.decode(), newline="")))


def test_bookings_stand_as_they_are_now(exported_ground: Ground) -> None:
    found = {str(row["start_time"]): row for row in rows(exported_ground, BOOKINGS)}
    first, second, third = (found[start] for start in sorted(found))
    assert (first["status"], second["status"], third["status"]) == (
        "held", "cancelled", "confirmed",
    )  # fmt: skip
    assert (first["title"], first["reference"]) == (FORMULA, "-7")
    assert (first["resource_count"], first["hours"], first["version"]) == (2, 3.5, 2)
    assert first["attributes"] == {"crew": 12}
    assert second["start_time"] == "2037-04-01T08:00:00.000001Z"
    assert third["end_time"] == "2037-05-02T22:00:00.000000Z"


def test_utilisation_is_cut_at_local_days_and_tells_of_refusals(exported_ground: Ground) -> None:
    found = {
        (row["resource_name"], row["day"]): (
            row["day_hours"], row["held_hours"], row["confirmed_share"], row["cancelled_hours"],
            row["refusals"],
        )
        for row in rows(exported_ground, UTILISATION)
    }  # fmt: skip
    assert found == {
        ("Stage A", f"{NEXT_JUNE[:-1]}2"): (24, 0, 0, 0, 1),
        ("Stage A", "2037-03-28"): (24, 2, 0, 0, 0),
        ("Stage A", "2037-03-29"): (23, 1.5, 0, 0, 0),
        ("Stage A", "2037-04-01"): (24, 0, 0, 1, 0),
        ("Camera", "2037-03-28"): (24, 2, 0, 0, 0),
        ("Camera", "2037-03-29"): (23, 1.5, 0, 0, 0),
        ("Camera", "2037-05-01"): (24, 0, 1, 0, 0),
        ("Camera", "2037-05-02"): (24, 0, 1, 0, 0),
    }


def test_refusals_stand_in_order_with_what_was_wanted(exported_ground: Ground) -> None:
    cancelled, retired = rows(exported_ground, REFUSALS)
    assert (cancelled["reason"], cancelled["command"]) == ("invalid-transition", "reschedule")
    assert cancelled["start_time"] == f"{NEXT_JUNE}T23:00:00.000000Z"
    assert (retired["reason"], retired["command"]) == ("resource-retired", "retire")
    assert (retired["booking_id"], retired["start_time"]) == (None, None)
    assert len(list(retired["resource_ids"])) == 1  # type: ignore[call-overload]
    assert rows(exported_ground, REFUSALS, moments(str(retired["refused_at"]), None)) == [retired]


def test_events_stand_in_order_and_say_nothing_of_a_customer(exported_ground: Ground) -> None:
    found = rows(exported_ground, EVENTS)
    assert [row["position"] for row in found] == list(range(1, len(found) + 1))
    [amended] = [row["facts"] for row in found if row["topic"] == "booking.amended"]
    assert amended == {"changes": {"reference": "-7"}}
    [cancelled] = [row["facts"] for row in found if row["topic"] == "booking.cancelled"]
    assert cancelled == {"reason": "Rain"}
    assert found[-1]["topic"] == "customer.forgotten"
    assert all(str(row["actor"]).startswith("key:") for row in found)


@pytest.mark.parametrize("contents", ALL, ids=lambda each: each.name)
def test_all_formats_say_the_same_of_one_tenant_in_the_columns_that_are_told(
    exported_ground: Ground, contents: Contents
) -> None:
    lines = rows(exported_ground, contents)
    text = exported_ground.export(contents, "csv")
    table = parquet.read_table(pa.BufferReader(exported_ground.export(contents, "parquet")))

    assert lines
    assert {row["tenant_id"] for row in lines} == {str(exported_ground.tenant())}
    for row in lines:
        assert list(row) == list(contents.columns)
    assert [*cells(text)[0]] == table.column_names == list(contents.columns)
    assert list(map(_from_parquet, table.to_pylist())) == list(map(_comparable, lines))
    assert cells(text) == [
        {name: _as_cell(value, contents.columns[name]) for name, value in row.items()}
        for row in lines
    ]
    for whole in (text, b"\n".join(str(row).encode() for row in (*lines, *table.to_pylist()))):
        for trace in (b"canary", b"sealed", b"Not to be seen"):
            assert trace.lower() not in whole.lower()
    for name in contents.columns:
        assert f"`{name}`" in PAGE.read_text(), f"docs/analytics.md does not tell of {name}"


def _from_parquet(row: dict[str, object]) -> dict[str, object]:
    def plain(value: object) -> object:
        if isinstance(value, datetime):
            assert value.utcoffset() == datetime.now(UTC).utcoffset()
            return value.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
        return value.isoformat() if isinstance(value, date) else value

    return {name: plain(value) for name, value in row.items()}


def _comparable(row: dict[str, object]) -> dict[str, object]:
    def plain(value: object) -> object:
        if isinstance(value, dict):
            return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
        return value

    return {name: plain(value) for name, value in row.items()}


def _as_cell(value: object, kind: Kind) -> str:
    if value is None:
        return ""
    if isinstance(value, dict | list):
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    dangerous = kind == "text" and str(value)[0] in "=+-@"
    return f"'{value}" if dangerous else str(value)


def test_a_window_takes_what_lies_in_it_in_part(exported_ground: Ground) -> None:
    def starts(start: str | None, end: str | None) -> list[str]:
        found = rows(exported_ground, BOOKINGS, moments(start, end))
        return sorted(str(row["start_time"])[:10] for row in found)

    assert starts("2037-03-29T00:29:59.999999Z", "2037-04-01T10:00:00.000001+02:00") == [
        "2037-03-28"
    ]
    assert starts("2037-03-29T00:30:00Z", "2037-04-01T10:00:00.000002+02:00") == ["2037-04-01"]
    assert starts("2037-05-01", None) == ["2037-04-30"]
    found = rows(exported_ground, UTILISATION, days("2037-03-29", "2037-05-02"))
    assert {row["day"] for row in found} == {"2037-03-29", "2037-04-01", "2037-05-01"}
    assert rows(exported_ground, EVENTS, moments(None, "2020-01-01")) == []


@pytest.mark.parametrize(
    "window", [("2037-03-01", "2037-03-01"), ("2037-3-1", None), ("2037-03-01T09:00:00", None)]
)
def test_a_window_that_is_none_is_refused(window: tuple[str, str | None]) -> None:
    with pytest.raises(WrongWindow):
        moments(*window)
    with pytest.raises(WrongWindow):
        days(*window)


@pytest.fixture
def long_log(database: Database) -> Ground:
    """10 pages of events, 2 KB each."""
    with psycopg.connect(database.owner_dsn) as owner:
        tenant_id = create_tenant(owner, "nova", "Nova")
        owner.execute(
            """
            insert into booking.event
            select %s, n, gen_random_uuid(), 1, 'booking.cancelled',
                   jsonb_build_object('reason', repeat(md5(n::text), 64), 'class_version', 2),
                   '{"actor": "key:1", "request_id": "r"}', '2037-03-01Z', '\\x00'
              from generate_series(1, %s) n
            """,
            [tenant_id, 10 * ROWS_AT_ONCE],
        )
    return Ground(database)


def test_a_long_export_is_of_one_moment_and_of_one_page_in_memory(long_log: Ground) -> None:
    with opened_export(
        long_log.database.runtime_dsn, EVENTS, long_log.tenant(), ALWAYS
    ) as exported:
        next(exported.pages)
        with psycopg.connect(long_log.database.owner_dsn) as owner:
            owner.execute("delete from booking.event")
        tracemalloc.start()
        sizes = [len(page) for page in exported.pages]
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert sizes == [ROWS_AT_ONCE] * 9
    page = ROWS_AT_ONCE * 2100
    assert peak < 4 * page  # as text, as rows, as what they become, and the page before


def test_an_event_that_cannot_be_read_ends_an_export(long_log: Ground) -> None:
    with psycopg.connect(long_log.database.owner_dsn) as owner:
        owner.execute("update booking.event set topic = 'booking.novel' where seq = 9000")
    with pytest.raises(LogUnreadable, match="position 9000"):
        long_log.export(EVENTS)


def test_what_no_projector_has_seen_yet_is_not_told_to_be_nothing(long_log: Ground) -> None:
    with pytest.raises(NotProjected, match="booking projector"):
        long_log.export(BOOKINGS)
