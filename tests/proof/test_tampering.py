"""Whatever is done to a log is found, and named: in the database, and in what is exported of it."""

import asyncio
import io
import subprocess
import sys
from pathlib import Path

import pytest

from infra.proof.verifying import verify
from infra.rebuilding import owner_session
from scripts import verify_export
from tests.proof.conftest import EVENTS, KEYS, SIGNED_FIRST, Log, Scene, checked, found
from tests.proof.tampering import ALL, Tampering

SCRIPT = Path(verify_export.__file__)
NOT_OF_THE_LOG = {"rewritten"}
"""What signed checkpoints tell besides; test_checkpoints.py is about these."""
BEYOND_THE_SCRIPT = {"overlap", "unreadable", "swapped"}


def positions_told_by_the_script(export: bytes) -> set[int]:
    file = io.BytesIO(export)
    lines = verify_export.check(file.readline(), iter(file))
    return {int(line.split()[1].rstrip(":")) for line in lines}


async def test_a_log_that_nobody_touched_is_sound(log: Log) -> None:
    async with owner_session(log.database.owner_dsn) as conn:
        verified = await verify(conn, log.tenant, KEYS)
    assert verified.sound, [*verified.findings]
    assert (verified.events, verified.position, verified.checkpoints) == (EVENTS, EVENTS, 2)
    assert {standing.projection for standing in verified.standings} >= {"reservation", "bookings"}
    assert min(verified.seconds.hashes, verified.seconds.comparison) > 0


@pytest.mark.parametrize("tampering", ALL, ids=str)
async def test_it_is_found_where_it_is(scene: Scene, tampering: Tampering) -> None:
    await scene.do(*tampering.statements)
    if tampering.rehashed:
        await scene.rehash()
    in_database = found((await scene.verified()).findings)
    export = await scene.exported()
    in_export = found(checked(export).findings)

    assert {each for each in in_database if each[1] not in NOT_OF_THE_LOG} == tampering.found
    assert {each for each in in_export if each[1] not in NOT_OF_THE_LOG} == tampering.found
    wanted = {position for position, kind in tampering.found if kind not in BEYOND_THE_SCRIPT}
    assert min(wanted, default=None) in {*positions_told_by_the_script(export), None}


async def test_a_projection_that_is_not_what_the_log_tells_is_told(log: Log) -> None:
    rename = "update booking.bookings set title = %s where tenant_id = %s and title = %s"
    async with owner_session(log.database.owner_dsn) as conn:
        await conn.execute(rename, ["Other", log.tenant.tenant_id, "Finale"])
        verified = await verify(conn, log.tenant, KEYS)
        await conn.execute(rename, ["Finale", log.tenant.tenant_id, "Other"])
    assert not verified.sound
    assert [each.projection for each in verified.standings if not each.equal] == ["bookings"]


async def test_a_tenant_without_a_head_is_told(scene: Scene) -> None:
    await scene.do("delete from booking.tenant_head where tenant_id = %(tenant)s")
    assert found((await scene.verified()).findings) == {(None, "head")}


def test_the_script_is_short() -> None:
    assert len(SCRIPT.read_text().splitlines()) < 100


async def test_the_script_needs_no_more_than_python(scene: Scene, tmp_path: Path) -> None:
    sound, forged = tmp_path / "sound.jsonl", tmp_path / "forged.jsonl"
    sound.write_bytes(await scene.exported())
    await scene.do("delete from booking.event where tenant_id = %(tenant)s and seq = 7")
    forged.write_bytes(await scene.exported())
    for file, status, said in (
        (sound, 0, "Nothing is wrong."),
        (forged, 1, "position 7: event 8 comes after 6"),
    ):
        run = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-I", "-S", str(SCRIPT), str(file)],  # -S: without installed packages
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert (run.returncode, run.stderr) == (status, "")
        assert said in run.stdout


async def test_signed_checkpoints_go_with_the_export(scene: Scene) -> None:
    result = checked(await scene.exported())
    assert (result.checkpoints, result.findings.count) == (2, 0)
    assert SIGNED_FIRST < EVENTS
