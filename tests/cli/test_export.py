"""`booking export people`: all that is kept of a tenant's people, and of nobody else."""

import asyncio
import base64
import json
from pathlib import Path

import psycopg
import pytest

from infra.database import Database
from infra.people import People, running_directory
from infra.people.exporting import ROWS_AT_ONCE
from infra.people.facts import AccountRemoved, AccountTold, MembershipTold, OrganisationTold
from tests.cli.test_commands import booking
from tests.people.conftest import ISSUER, at, delivery_id, sign_in

MEMBERS = {
    "user_id", "issuer", "subject", "email", "name", "role", "since", "updated", "removed",
}  # fmt: skip


@pytest.fixture
def theirs(database: Database) -> dict[str, str]:
    key = base64.b64encode(bytes(32)).decode()
    return {"DATABASE_URL": database.owner_dsn, "BOOKING_MASTER_KEY": key}


async def make_people(database: Database) -> None:
    async with running_directory(database.runtime_dsn) as directory:
        people = People(directory)
        for subject in ("user_ada", "user_bob", "user_eve"):
            await people.admit(sign_in(subject))
        await people.admit(sign_in("user_stranger", "org_orion", slug="orion"))
        left = MembershipTold(
            OrganisationTold("org_nova", "nova", None, None), "user_bob", None, None, "viewer",
            at(5), removed=True,
        )  # fmt: skip
        told = AccountTold("user_ada", "ada@example.org", "Ada Zoë", at(1))
        for fact in (told, left, AccountRemoved("user_eve", at(6))):
            await directory.deliver(delivery_id(), ISSUER, fact)


def test_people_are_given_back_a_line_each(
    database: Database, theirs: dict[str, str], tmp_path: Path
) -> None:
    asyncio.run(make_people(database))

    printed = booking("export", "people", "--tenant", "nova", **theirs)

    assert printed.returncode == 0, printed.stderr
    ada, bob, eve = map(json.loads, printed.stdout.splitlines())
    assert ada.keys() == bob.keys() == eve.keys() == MEMBERS
    assert (ada["subject"], ada["email"]) == ("user_ada", "ada@example.org")
    assert (ada["name"], ada["role"], ada["removed"]) == ("Ada Zoë", "booker", None)
    assert (bob["role"], bob["removed"]) == ("viewer", "2027-03-01T00:00:05Z")
    assert (eve["name"], eve["removed"]) == (None, "2027-03-01T00:00:06Z")

    add_people(database, 2 * ROWS_AT_ONCE)
    file = tmp_path / "people.jsonl"
    file.touch(mode=0o644)
    written = booking("export", "people", "--tenant", "nova", "--out", str(file), **theirs)

    assert (written.returncode, written.stdout) == (0, ""), written.stderr
    assert "2,003 people" in written.stderr
    assert file.stat().st_mode & 0o777 == 0o600
    lines = file.read_text().splitlines()
    assert lines[:3] == printed.stdout.splitlines()
    assert len({json.loads(line)["subject"] for line in lines}) == len(lines) == 2003


def add_people(database: Database, count: int) -> None:
    with psycopg.connect(database.owner_dsn) as owner:
        owner.execute(
            "insert into booking.account (issuer, subject)"
            " select %s, 'many_' || n from generate_series(1, %s) n",
            [ISSUER, count],
        )
        owner.execute(
            "insert into booking.person (tenant_id, user_id, issuer, subject, told_at)"
            " select tenant_id, gen_random_uuid(), issuer, subject, now()"
            " from booking.account join booking.organisation using (issuer)"
            " where subject like 'many%%' and organisation_id = %s",
            ["org_nova"],
        )


def test_what_cannot_be_exported_is_told(database: Database, theirs: dict[str, str]) -> None:
    asyncio.run(make_people(database))

    nobody = booking("export", "people", "--tenant", "nobody", **theirs)
    nowhere = booking("export", "people", "--tenant", "nova", "--out", "/no/such/file", **theirs)

    assert (nobody.returncode, nowhere.returncode) == (2, 2)
    assert "There is no tenant 'nobody'" in nobody.stderr
    assert "Take another file for --out" in nowhere.stderr
    assert "Traceback" not in nobody.stderr + nowhere.stderr
