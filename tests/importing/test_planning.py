"""What rows are planned as: bookings with ids of their own content, or reasons."""

import io
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from domain.ids import ResourceId, TenantId
from domain.limits import MAX_TITLE
from domain.period import Period
from infra.importing import planning
from infra.importing.moments import WrongFormat
from infra.importing.planning import (
    InvalidRow,
    PlannedRow,
    Planner,
    TableForm,
    registration,
)
from infra.importing.reading import CsvFile, WrongFile, decoded

TENANT = TenantId(UUID(int=7))
FORM = TableForm(
    title="title",
    resources="places",
    starts="from",
    ends="to",
    reference="number",
    zone=ZoneInfo("America/New_York"),
)
HEADER = "title,places,from,to,number\n"
GOOD = 'Night,"MAIN  STREET, 2 AVENUE",2023-05-03 06:00,2023-05-03 22:00,A-1\n'


def planned(table: str, form: TableForm = FORM) -> list[PlannedRow | InvalidRow]:
    file = CsvFile(decoded(io.BytesIO(table.encode())))
    return list(Planner(form, file).rows(TENANT))


def booked(table: str, form: TableForm = FORM) -> list[PlannedRow]:
    rows = planned(table, form)
    assert all(isinstance(row, PlannedRow) for row in rows), rows
    return [row for row in rows if isinstance(row, PlannedRow)]


def reason(row: str, form: TableForm = FORM) -> str:
    (refused,) = planned(HEADER + row + "\n", form)
    assert isinstance(refused, InvalidRow)
    assert (refused.row, refused.line) == (1, 2)
    return refused.reason


def test_a_row_is_a_confirmed_booking_of_all_it_names() -> None:
    (row,) = booked(HEADER + GOOD)
    main, second = ResourceId(UUID(int=1)), ResourceId(UUID(int=2))
    command = row.command({"MAIN STREET": main, "2 AVENUE": second})

    assert command.title == "Night"
    assert command.resource_ids == (main, second)
    assert command.period == Period(
        datetime(2023, 5, 3, 10, tzinfo=UTC), datetime(2023, 5, 4, 2, tzinfo=UTC)
    )
    assert (command.status, command.hold_expires_at) == ("confirmed", None)
    assert command.reference == "A-1"


def test_names_are_trimmed_their_space_collapsed_and_each_counts_once() -> None:
    (row,) = booked(HEADER + 'T,"  A   B ,C,,A B, C",2023-05-03 06:00,2023-05-03 07:00,\n')

    assert row.names == ("A B", "C")
    assert row.reference is None


def test_names_may_be_separated_by_anything() -> None:
    form = TableForm(
        title="title", resources="places", starts="from", ends="to", separator=" / ", zone=FORM.zone
    )
    (row,) = booked(HEADER + "T,A / B/C,2023-05-03 06:00,2023-05-03 07:00,x\n", form)

    assert row.names == ("A", "B/C")
    assert row.reference is None


def test_two_names_of_one_resource_claim_it_once() -> None:
    (row,) = booked(HEADER + GOOD)
    one = ResourceId(UUID(int=1))

    assert row.command({"MAIN STREET": one, "2 AVENUE": one}).resource_ids == (one,)


def test_the_same_file_has_the_same_booking_ids_again() -> None:
    table = HEADER + GOOD + GOOD.replace("A-1", "A-2") + GOOD
    first, second = booked(table), booked(table)

    assert [row.booking_id for row in first] == [row.booking_id for row in second]


def test_each_row_has_a_booking_id_of_its_own_even_where_rows_are_identical() -> None:
    variants = [
        GOOD,
        GOOD,
        GOOD.replace("Night", "Day"),
        GOOD.replace("MAIN", "SIDE"),
        GOOD.replace("06:00", "06:30"),
        GOOD.replace("22:00", "22:30"),
        GOOD.replace("A-1", ""),
        GOOD,
    ]
    ids = {row.booking_id for row in booked(HEADER + "".join(variants))}

    assert len(ids) == len(variants)


def test_a_row_keeps_its_id_when_other_rows_come_before_it() -> None:
    (alone,) = booked(HEADER + GOOD)
    *_, later = booked(HEADER + GOOD.replace("Night", "Day") + GOOD)

    assert later.booking_id == alone.booking_id


def test_another_tenant_has_other_ids() -> None:
    mine = registration(TENANT, "A", kind="imported", timezone="UTC")
    again = registration(TENANT, "A", kind="street", timezone="Europe/Vienna")
    theirs = registration(TenantId(UUID(int=8)), "A", kind="imported", timezone="UTC")

    assert mine.resource_id == again.resource_id != theirs.resource_id


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("T,A,soon,2023-05-03 07:00,", "from: 'soon' is not a time of the form ISO 8601"),
        ("T,A,2023-05-03 07:00,,", "to: there is no time"),
        ("T,A,2023-03-12 02:30,2023-03-12 05:00,", "from: '2023-03-12 02:30' does not exist in"),
        ("T,A,2023-05-03 07:00,2023-05-03 07:00,", "the end must be after the start"),
        ("T,A,2023-05-03 07:00,2023-05-03 06:00,", "the end must be after the start"),
        ("T,A,2023-05-03 07:00,2024-05-04 06:00,", "a booking lasts at most 366 days"),
        ("T,A,1923-05-03 07:00,1923-05-03 08:00,", "times lie in the years 1970 to 2200"),
        ("T, ,2023-05-03 06:00,2023-05-03 07:00,", "it names no resource"),
        ('T,", ,",2023-05-03 06:00,2023-05-03 07:00,', "it names no resource"),
        (" ,A,2023-05-03 06:00,2023-05-03 07:00,", "the title is empty"),
        ("x" * 201 + ",A,2023-05-03 06:00,2023-05-03 07:00,", "the title has 201 characters"),
        ("T,A\0B,2023-05-03 06:00,2023-05-03 07:00,", "the name of a resource has a NUL"),
        ("T\0,A,2023-05-03 06:00,2023-05-03 07:00,", "the title has a NUL character in it"),
        (
            "T," + "x" * 201 + ",2023-05-03 06:00,2023-05-03 07:00,",
            "the name of a resource has 201",
        ),
        ("T,A,2023-05-03 06:00,2023-05-03 07:00," + "x" * 101, "the reference has 101 characters"),
        ("T,A,2023-05-03 06:00", "3 cells where the header has 5"),
    ],
)
def test_what_no_booking_can_have_is_said(row: str, said: str) -> None:
    assert said in reason(row)


def test_a_booking_has_at_most_a_hundred_resources() -> None:
    names = ",".join(f"R{number}" for number in range(101))

    assert "it names 101 resources" in reason(f'T,"{names}",2023-05-03 06:00,2023-05-03 07:00,')


def test_an_invalid_row_tells_its_title_but_no_more_of_it_than_a_title_has() -> None:
    short, long = planned(HEADER + "Night,,,,\n" + "x" * 1000 + ",,,,\n")

    assert isinstance(short, InvalidRow)
    assert isinstance(long, InvalidRow)
    assert (short.title, long.title) == ("Night", "x" * MAX_TITLE)


def test_rows_over_the_bound_are_named_and_not_planned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "MAX_ROWS", 2)
    *_, third, fourth = planned(HEADER + GOOD * 4)

    assert isinstance(third, InvalidRow)
    assert isinstance(fourth, InvalidRow)
    assert (third.row, fourth.row) == (3, 4)
    assert "begin another file with it" in third.reason


def test_a_wrong_column_is_refused_before_any_row_is_read() -> None:
    with pytest.raises(WrongFile, match="no column 'places'"):
        planned("title,place,from,to,number\n" + GOOD)


def test_a_wrong_format_is_refused_before_any_row_is_read() -> None:
    form = TableForm(
        title="title",
        resources="places",
        starts="from",
        ends="to",
        zone=FORM.zone,
        datetime_format="%Q",
    )
    with pytest.raises(WrongFormat):
        planned(HEADER + GOOD, form)


def test_the_film_permits_have_the_conflicts_that_are_known(film_permits: Path) -> None:
    form = TableForm(
        title="EventID",
        resources="ParkingHeld",
        starts="StartDateTime",
        ends="EndDateTime",
        zone=ZoneInfo("America/New_York"),
        datetime_format="%m/%d/%Y %I:%M:%S %p",
    )
    taken: dict[str, list[Period]] = {}
    refused = 0
    with decoded(film_permits.open("rb")) as text:
        rows = list(Planner(form, CsvFile(text)).rows(TENANT))
    for row in rows:
        assert isinstance(row, PlannedRow)
        streets = [taken.setdefault(name, []) for name in row.names]
        if any(
            held.start < row.period.end and row.period.start < held.end
            for street in streets
            for held in street
        ):
            refused += 1
        else:
            for street in streets:
                street.append(row.period)

    assert (len(rows), refused, len(taken)) == (2690, 147, 4493)
