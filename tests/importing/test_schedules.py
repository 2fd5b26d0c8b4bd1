"""Whole schedules through the real engine: the figures, and what a second run does."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import psycopg

from domain.booking import Booking
from domain.commands import Cancel
from infra.engine import Accepted, Caller, CommandRequest
from infra.importing.outcome import Counts
from infra.importing.planning import TableForm
from tests.importing.conftest import Studio

PERMITS = TableForm(
    title="EventID",
    resources="ParkingHeld",
    starts="StartDateTime",
    ends="EndDateTime",
    zone=ZoneInfo("America/New_York"),
    datetime_format="%m/%d/%Y %I:%M:%S %p",
)
FORM = TableForm(
    title="what",
    resources="where",
    starts="from",
    ends="to",
    reference="number",
    zone=ZoneInfo("America/New_York"),
)
# Rows 2 and 5 collide with row 1, row 6 with row 3; row 4 only touches row 1. Row 7 is broken.
SCHEDULE = """\
what,where,from,to,number
Pilot,"MAIN STREET, 2 AVENUE",2027-05-03 06:00,2027-05-03 22:00,P-1
Advert,"3 AVENUE,MAIN  STREET",2027-05-03 21:59,2027-05-03 23:00,P-2
News,3 AVENUE,2027-05-03 21:00,2027-05-03 23:00,
Night,MAIN STREET,2027-05-03 22:00,2027-05-03 23:00,P-4
Early,"2 AVENUE",2027-05-03 05:00,2027-05-03 06:01,P-5
Late,3 AVENUE,2027-05-03 22:30,2027-05-04 01:00,P-6
Spring,3 AVENUE,2027-03-14 02:30,2027-03-14 05:00,P-7
"""


def written(directory: Path, schedule: str = SCHEDULE) -> Path:
    file = directory / "schedule.csv"
    file.write_text(schedule, encoding="utf-8")
    return file


async def test_rows_are_decided_in_the_order_of_the_file(studio: Studio, tmp_path: Path) -> None:
    counts = await studio.imports(written(tmp_path), FORM)

    assert counts == Counts(imported=3, refused=3, invalid=1, resources=3)
    assert counts.rows == 7
    assert [(p.row, p.line, p.outcome, p.title) for p in studio.problems] == [
        (2, 3, "refused", "Advert"),
        (5, 6, "refused", "Early"),
        (6, 7, "refused", "Late"),
        (7, 8, "invalid", "Spring"),
    ]


async def test_a_refusal_names_the_bookings_in_the_way(studio: Studio, tmp_path: Path) -> None:
    await studio.imports(written(tmp_path), FORM)
    problem = studio.problems[0]
    (way,) = problem.conflicts

    assert problem.reason == "taken already: MAIN STREET"
    assert (way.resource, way.status) == ("MAIN STREET", "confirmed")
    assert way.start_time == datetime(2027, 5, 3, 10, tzinfo=UTC)
    assert way.end_time == datetime(2027, 5, 4, 2, tzinfo=UTC)
    found = await studio.running.engine.booking(studio.tenant_id, way.booking_id)
    assert found is not None
    assert isinstance(found.aggregate, Booking)
    assert (found.aggregate.title, found.aggregate.reference) == ("Pilot", "P-1")


async def test_a_second_run_imports_nothing_and_says_so(studio: Studio, tmp_path: Path) -> None:
    file = written(tmp_path)
    await studio.imports(file, FORM)
    events = studio.count("event")

    counts = await studio.imports(file, FORM)

    assert counts == Counts(already_imported=3, refused=3, invalid=1)
    assert studio.count("event") == events


async def test_two_runs_at_once_make_everything_once(studio: Studio, tmp_path: Path) -> None:
    file = written(tmp_path)

    first, second = await asyncio.gather(studio.imports(file, FORM), studio.imports(file, FORM))

    assert first.imported + second.imported == 3
    assert first.already_imported + second.already_imported == 3
    assert first.refused == second.refused == 3
    assert first.resources + second.resources == studio.count("resource") == 3
    assert studio.count("event") == 6


async def test_identical_rows_are_a_row_each(studio: Studio, tmp_path: Path) -> None:
    header, pilot, *_ = SCHEDULE.splitlines()
    file = written(tmp_path, f"{header}\n{pilot}\n{pilot}")

    assert await studio.imports(file, FORM) == Counts(imported=1, refused=1, resources=2)


async def test_what_was_cancelled_since_is_not_booked_again_but_makes_room(
    studio: Studio, tmp_path: Path
) -> None:
    file = written(tmp_path)
    await studio.imports(file, FORM)
    pilot = studio.problems[0].conflicts[0].booking_id
    caller = Caller(studio.tenant_id, "key-1", "request-1")
    cancelled = await studio.running.engine.execute(
        caller, CommandRequest(Cancel(booking_id=pilot, reason=None))
    )
    assert isinstance(cancelled, Accepted)

    # Early gets the room; Advert still wants the street that Night has.
    counts = await studio.imports(file, FORM)

    assert counts == Counts(imported=1, already_imported=3, refused=2, invalid=1)


async def test_resources_that_are_there_are_used_and_new_ones_are_as_asked(
    studio: Studio, tmp_path: Path
) -> None:
    header, pilot, advert, *_ = SCHEDULE.splitlines()
    await studio.imports(written(tmp_path, f"{header}\n{pilot}\n"), FORM, kind="street")
    counts = await studio.imports(written(tmp_path, f"{header}\n{advert}\n"), FORM, kind="road")

    assert counts == Counts(refused=1, resources=1)
    with psycopg.connect(studio.owner_dsn) as conn:
        resources = conn.execute(
            "select name, kind, timezone from booking.resource order by name"
        ).fetchall()
    assert resources == [
        ("2 AVENUE", "street", "America/New_York"),
        ("3 AVENUE", "road", "America/New_York"),
        ("MAIN STREET", "street", "America/New_York"),
    ]


async def test_a_file_of_several_slices_is_imported_in_order(
    studio: Studio, tmp_path: Path
) -> None:
    header, hours = SCHEDULE.splitlines()[0], range(24)
    rows = [
        f"Take {place},Stage {place % 30},2027-01-01T{hour:02}:00Z,2027-01-01T{hour:02}:59Z,"
        for place, hour in enumerate([*hours] * 30)
    ]
    counts = await studio.imports(written(tmp_path, "\n".join([header, *rows])), FORM)

    # Stage and hour repeat together after 120 rows: of 720, the first 120 get their slot.
    assert counts == Counts(imported=120, refused=600, resources=30)
    assert [problem.row for problem in studio.problems] == list(range(121, 721))


async def test_the_film_permits_of_2023_give_the_known_figures_twice(
    studio: Studio, film_permits: Path
) -> None:
    counts = await studio.imports(film_permits, PERMITS)

    assert counts == Counts(imported=2543, refused=147, resources=4493)
    assert counts.rows == 2690
    assert all(problem.conflicts for problem in studio.problems)
    assert studio.count("event") == 2543 + 4493

    again = await studio.imports(film_permits, PERMITS)

    assert again == Counts(already_imported=2543, refused=147)
    assert studio.count("event") == 2543 + 4493
