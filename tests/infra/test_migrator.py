"""Migrations: applied once each, in order, together with the line that says so."""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import psycopg
import pytest

from infra.database import Database
from infra.postgres.migrator import ADVISORY_LOCK, migrate, pending
from infra.postgres.schema import MigrationError, Schema, SchemaFile, read_schema

EARLIER = "create table booking.kept (id int); create function booking.asked() returns int return 1"
LATER = "create table booking.kept (id int);\n-- Formerly: {digest}\n"


def write(directory: Path, **files: str) -> Schema:
    """This program's files, and some more: migrations (m0000_name) and functions (f_name)."""
    (directory / "functions").mkdir(exist_ok=True)
    for name, statements in files.items():
        path = f"functions/{name[2:]}" if name.startswith("f_") else name.removeprefix("m")
        (directory / f"{path}.sql").write_text(statements)
    own, more = read_schema(), read_schema(directory)
    return Schema(
        migrations=own.migrations + more.migrations,
        function_files=own.function_files + more.function_files,
    )


def functions(revision: int, answer: int) -> str:
    return (
        f"-- Revision {revision}.\n"
        f"create or replace function booking.asked() returns int return {answer};"
    )


def names(files: Sequence[SchemaFile]) -> list[str]:
    return [file.name for file in files]


def answer(database: Database, query: str) -> object:
    with psycopg.connect(database.owner_dsn) as conn:
        return (conn.execute(query.encode()).fetchone() or (None,))[0]


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
    assert names(pending(database.owner_dsn, known)) == ["9000_first.sql", "9001_second.sql"]

    applied = migrate(database.owner_dsn, known)

    assert names(applied) == ["9000_first.sql", "9001_second.sql"]
    assert pending(database.owner_dsn, known) == []


def test_two_that_migrate_at_once_apply_each_file_once(database: Database, tmp_path: Path) -> None:
    known = write(
        tmp_path,
        m9000_one="create table booking.one (id int)",
        m9001_two="select 1",
        f_three="-- Revision 1.\ncreate function booking.three() returns int return 3",
    )
    barrier = Barrier(4)

    def run(_: int) -> list[SchemaFile]:
        barrier.wait()
        return migrate(database.owner_dsn, known)

    with ThreadPoolExecutor(4) as threads:
        applied = [file for mine in threads.map(run, range(4)) for file in mine]

    assert sorted(names(applied)) == ["9000_one.sql", "9001_two.sql", "functions/three.sql"]


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

    assert names(pending(database.owner_dsn, known)) == ["9001_bad.sql"]
    assert answer(database, "select to_regclass('booking.good')") is not None
    assert answer(database, "select to_regclass('booking.bad')") is None


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


def test_functions_come_after_all_migrations_and_are_replaced_with_each_revision(
    database: Database, tmp_path: Path
) -> None:
    first = write(
        tmp_path,
        f_asked="-- Revision 1.\ncreate or replace function booking.asked() returns int\n"
        "begin atomic select count(*)::int from booking.counted; end;",
        m9000_counted="create table booking.counted (id int)",
    )
    assert names(pending(database.owner_dsn, first)) == ["9000_counted.sql", "functions/asked.sql"]
    assert names(migrate(database.owner_dsn, first)) == ["9000_counted.sql", "functions/asked.sql"]
    assert pending(database.owner_dsn, first) == []
    assert migrate(database.owner_dsn, first) == []
    assert answer(database, "select booking.asked()") == 0

    second = write(tmp_path, f_asked=functions(2, 2))
    assert names(pending(database.runtime_dsn, second)) == ["functions/asked.sql"]
    assert names(migrate(database.owner_dsn, second)) == ["functions/asked.sql"]
    assert pending(database.runtime_dsn, second) == []
    assert answer(database, "select booking.asked()") == 2


def test_a_failing_function_file_leaves_the_revision_before_it(
    database: Database, tmp_path: Path
) -> None:
    migrate(database.owner_dsn, write(tmp_path, f_asked=functions(1, 1)))
    bad = write(tmp_path, f_asked=functions(2, 2) + " select 1 / 0")

    with pytest.raises(MigrationError, match=r"functions/asked\.sql failed.*division by zero"):
        migrate(database.owner_dsn, bad)

    assert answer(database, "select booking.asked()") == 1
    assert names(pending(database.owner_dsn, bad)) == ["functions/asked.sql"]


def test_functions_changed_without_a_revision_are_an_error(
    database: Database, tmp_path: Path
) -> None:
    migrate(database.owner_dsn, write(tmp_path, f_asked=functions(4, 1)))
    changed = write(tmp_path, f_asked=functions(4, 2))

    for ask in (migrate, pending):
        with pytest.raises(MigrationError, match=r"asked\.sql was changed.*-- Revision 5\."):
            ask(database.owner_dsn, changed)
    assert answer(database, "select booking.asked()") == 1


def test_a_program_goes_on_with_functions_newer_than_its_own_and_with_ones_it_does_not_know(
    database: Database, tmp_path: Path
) -> None:
    older = write(tmp_path, f_asked=functions(1, 1))
    newer = write(tmp_path, f_asked=functions(2, 2), f_more="-- Revision 1.\nselect 1")
    migrate(database.owner_dsn, newer)

    for program in (older, read_schema()):
        assert pending(database.runtime_dsn, program) == []
        assert migrate(database.owner_dsn, program) == []
    assert answer(database, "select booking.asked()") == 2


def test_the_functions_may_be_run_again(database: Database) -> None:
    catalogue = """
        select oid::regprocedure::text, pg_get_functiondef(oid), proacl::text
          from pg_proc where pronamespace = 'booking'::regnamespace order by 1
    """
    files = read_schema().function_files
    assert files
    with psycopg.connect(database.owner_dsn) as conn:
        conn.execute("set role booking_owner")
        once = conn.execute(catalogue.encode()).fetchall()
        for file in files:
            conn.execute(file.statements)
        assert conn.execute(catalogue.encode()).fetchall() == once


def test_nobody_but_the_owner_may_write_what_was_applied(
    database: Database, tmp_path: Path
) -> None:
    migrate(database.owner_dsn, write(tmp_path, f_asked=functions(1, 1)))
    rights = """
        select relname, array_agg(distinct grantee::regrole::text || ' ' || privilege_type)
          from pg_class, aclexplode(relacl)
         where oid in ('booking.migration'::regclass, 'booking.function_file'::regclass)
           and grantee <> relowner
         group by relname order by relname
    """
    with psycopg.connect(database.owner_dsn) as conn:
        granted = conn.execute(rights.encode()).fetchall()
    reading = ["booking_api SELECT", "booking_background SELECT"]
    assert granted == [("function_file", reading), ("migration", reading)]


def test_functions_move_out_of_a_migration_that_names_its_earlier_text(
    database: Database, tmp_path: Path
) -> None:
    migrate(database.owner_dsn, write(tmp_path, m9000_kept=EARLIER))
    with psycopg.connect(database.owner_dsn) as conn:
        conn.execute(
            "drop table if exists booking.function_file"
        )  # as it was before there were any
    digest = hashlib.sha256(EARLIER.encode()).hexdigest()
    moved = write(tmp_path, m9000_kept=LATER.format(digest=digest), f_asked=functions(1, 2))

    assert names(pending(database.runtime_dsn, moved)) == names(moved.function_files)
    assert names(migrate(database.owner_dsn, moved)) == names(moved.function_files)

    assert answer(database, "select booking.asked()") == 2
    kept = "select sha256 from booking.migration where version = 9000"
    assert answer(database, kept) == digest  # an older program still knows it


def test_a_migration_accepts_no_other_text_than_those_it_names(
    database: Database, tmp_path: Path
) -> None:
    migrate(database.owner_dsn, write(tmp_path, m9000_kept=EARLIER))
    other = write(tmp_path, m9000_kept=LATER.format(digest=hashlib.sha256(b"").hexdigest()))

    with pytest.raises(MigrationError, match=r"9000_kept\.sql was changed"):
        migrate(database.owner_dsn, other)


@pytest.mark.parametrize(
    "text", ["select 1", "-- Revision 0.", "-- Revision 1", "-- Why.\n-- Revision 1.\n"]
)
def test_a_function_file_that_does_not_begin_with_its_revision_is_an_error(
    tmp_path: Path, text: str
) -> None:
    with pytest.raises(MigrationError, match=r"Begin functions/asked\.sql"):
        write(tmp_path, f_asked=text)


def test_a_function_file_with_another_name_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(MigrationError, match=r"Rename functions/0005_asked\.sql"):
        write(tmp_path, f_0005_asked=functions(1, 1))


def test_who_has_nothing_to_apply_waits_for_nobody(database: Database) -> None:
    """Any login may take the lock, one that only reads too, and keep it."""
    with psycopg.connect(database.runtime_dsn) as other:
        other.execute("select pg_advisory_lock(%s)", [ADVISORY_LOCK])
        assert migrate(database.owner_dsn) == []
