"""Migrations: applied once each, in order, together with the line that says so."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import psycopg
import pytest

from infra.database import Database
from infra.postgres.migrator import Migration, MigrationError, migrate, migrations, pending


def write(directory: Path, **files: str) -> Sequence[Migration]:
    for name, statements in files.items():
        (directory / f"{name.removeprefix('m')}.sql").write_text(statements)
    return [*migrations(), *migrations(directory)]


def test_a_migrated_database_has_nothing_pending(database: Database) -> None:
    assert pending(database.owner_dsn) == []
    assert migrate(database.owner_dsn) == []


def test_the_runtime_may_ask_what_is_pending(database: Database) -> None:
    assert pending(database.runtime_dsn) == []


def test_new_files_are_applied_in_the_order_of_their_numbers(
    database: Database, tmp_path: Path
) -> None:
    known = write(
        tmp_path,
        m9001_second="create table booking.second (like booking.first)",
        m9000_first="create table booking.first (id int); insert into booking.first values (1)",
    )
    assert [m.version for m in pending(database.owner_dsn, known)] == [9000, 9001]

    applied = migrate(database.owner_dsn, known)

    assert [m.name for m in applied] == ["9000_first.sql", "9001_second.sql"]
    assert pending(database.owner_dsn, known) == []


def test_two_that_migrate_at_once_apply_each_file_once(database: Database, tmp_path: Path) -> None:
    known = write(tmp_path, m9000_one="create table booking.one (id int)", m9001_two="select 1")
    barrier = Barrier(4)

    def run(_: int) -> list[Migration]:
        barrier.wait()
        return migrate(database.owner_dsn, known)

    with ThreadPoolExecutor(4) as threads:
        applied = [migration for mine in threads.map(run, range(4)) for migration in mine]

    assert sorted(m.version for m in applied) == [9000, 9001]


def test_a_failing_file_leaves_no_trace_and_the_ones_before_it_stay(
    database: Database, tmp_path: Path
) -> None:
    known = write(
        tmp_path,
        m9000_good="create table booking.good (id int)",
        m9001_bad="create table booking.bad (id int); select 1 / 0",
    )

    with pytest.raises(MigrationError, match=r"9001_bad\.sql failed.*division by zero"):
        migrate(database.owner_dsn, known)

    assert [m.version for m in pending(database.owner_dsn, known)] == [9001]
    with psycopg.connect(database.owner_dsn) as conn:
        names = "select to_regclass('booking.good'), to_regclass('booking.bad')"
        good, bad = conn.execute(names).fetchone() or (None, None)
    assert good is not None
    assert bad is None


def test_a_file_changed_after_it_was_applied_is_an_error(
    database: Database, tmp_path: Path
) -> None:
    migrate(database.owner_dsn, write(tmp_path, m9000_fixed="select 1"))
    changed = write(tmp_path, m9000_fixed="select 2")

    for ask in (migrate, pending):
        with pytest.raises(MigrationError, match=r"9000_fixed\.sql was changed"):
            ask(database.owner_dsn, changed)


def test_a_database_newer_than_the_program_is_an_error(database: Database, tmp_path: Path) -> None:
    migrate(database.owner_dsn, write(tmp_path, m9000_future="select 1"))

    with pytest.raises(MigrationError, match="the database is newer"):
        migrate(database.owner_dsn)


def test_a_file_that_comes_late_is_an_error(database: Database, tmp_path: Path) -> None:
    migrate(database.owner_dsn, write(tmp_path, m9001_merged_first="select 1"))
    late = write(tmp_path, m9000_merged_later="select 1")

    with pytest.raises(MigrationError, match="only go forward"):
        migrate(database.owner_dsn, late)


def test_two_files_of_one_number_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(MigrationError, match="same number"):
        write(tmp_path, m9000_mine="select 1", m9000_yours="select 1")


def test_a_file_without_a_number_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(MigrationError, match="Rename"):
        write(tmp_path, mfix="select 1")
