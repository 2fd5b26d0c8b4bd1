"""`booking analyst`: what it answers, and its exit status."""

import json
from collections.abc import Iterator

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from infra.access import create_tenant
from infra.database import Database
from infra.postgres.embedded import SUPERUSER
from tests.cli.test_commands import MASTER_KEY, booking


@pytest.fixture
def theirs(database: Database) -> Iterator[dict[str, str]]:
    yield {"DATABASE_URL": database.owner_dsn, "BOOKING_MASTER_KEY": MASTER_KEY}
    with psycopg.connect(make_conninfo(database.owner_dsn, user=SUPERUSER)) as conn:
        conn.execute("drop role if exists shown_on_screen")


def test_a_login_is_granted_listed_and_revoked(theirs: dict[str, str]) -> None:
    whose = ["--tenant", "babelsberg", "--login", "shown_on_screen"]
    with psycopg.connect(theirs["DATABASE_URL"]) as conn:
        create_tenant(conn, "babelsberg", "Studio Babelsberg")

    granted = booking("analyst", "grant", *whose, "--role", "auditor", "--json", **theirs)
    listed = booking("analyst", "list", **theirs)
    revoked = booking("analyst", "revoke", *whose, **theirs)
    refused = booking(
        "analyst", "grant", "--tenant", "babelsberg", "--login", "booking_runtime", **theirs
    )

    facts = json.loads(granted.stdout)
    assert (granted.returncode, facts["made"], facts["role"]) == (0, True, "auditor")
    assert len(facts["password"]) == 32
    assert "not shown again" in granted.stderr
    assert (listed.returncode, revoked.returncode) == (0, 0)
    assert listed.stdout.startswith("shown_on_screen sees babelsberg as auditor since ")
    assert refused.returncode == 2
    assert "Take another login" in refused.stderr
    assert "Traceback" not in refused.stderr
