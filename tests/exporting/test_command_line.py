"""`booking export …`: to a file or the object store, whole or not at all."""

import base64
from pathlib import Path

import psycopg
import pytest

from tests.cli.test_commands import booking
from tests.exporting.conftest import Ground

pytestmark = pytest.mark.on_one_postgres


@pytest.fixture
def settings(exported_ground: Ground, tmp_path: Path) -> dict[str, str]:
    return {
        "DATABASE_URL": exported_ground.database.owner_dsn,
        "BOOKING_MASTER_KEY": base64.b64encode(bytes(32)).decode(),
        "BOOKING_OBJECT_STORE": f"file://{tmp_path}",
    }


def test_an_export_goes_to_standard_output_or_the_store_and_never_in_part(
    exported_ground: Ground, settings: dict[str, str], tmp_path: Path
) -> None:
    command = ("export", "events", "--tenant", "nova", "--format", "jsonl")
    printed = booking(*command, **settings)
    kept = booking(*command, "--store", "nova/events.jsonl", **settings)
    for ended in (printed, kept):
        assert ended.returncode == 0, ended.stderr
        assert "Wrote events, rows: 9, true as of position 9." in ended.stderr
    file = tmp_path / "nova" / "events.jsonl"
    assert printed.stdout == file.read_text()

    with psycopg.connect(exported_ground.database.owner_dsn) as owner:
        unread = "update booking.event set topic = %s where seq = 9 and topic = %s"
        owner.execute(unread, ["customer.novel", "customer.forgotten"])
    try:
        failed = booking(*command, "-o", str(file), **settings)
    finally:
        with psycopg.connect(exported_ground.database.owner_dsn) as owner:
            owner.execute(unread, ["customer.forgotten", "customer.novel"])
    assert failed.returncode == 2
    assert "position 9 cannot be read" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert file.read_text() == printed.stdout
    assert [path.name for path in file.parent.iterdir()] == ["events.jsonl"]


def test_what_an_export_found_out_about_the_store_is_kept(
    exported_ground: Ground, settings: dict[str, str], tmp_path: Path
) -> None:
    def told_after(key: str, status: int) -> tuple[str, int]:
        ended = booking(
            *("export", "events", "--tenant", "nova", "--format", "jsonl", "--store", key),
            **settings,
        )
        assert ended.returncode == status, ended.stderr
        assert "Traceback" not in ended.stderr
        with psycopg.connect(exported_ground.database.owner_dsn) as owner:
            [told] = owner.execute(
                "select state, left_alone from booking.told_circuit where process = 'export'"
            ).fetchall()
            return told

    (tmp_path / "a").touch()
    assert told_after("a/in-the-place-of-a-folder", 2) == ("open", 1)
    assert told_after("../no-key", 2) == ("open", 1)
    assert told_after("a", 0) == ("closed", 0)
