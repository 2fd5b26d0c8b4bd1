"""The key of the tenant `demo`: made once and kept, and never let in again once it was given up."""

from pathlib import Path

import psycopg
import pytest

from infra.access import AccessError, list_api_keys, revoke_api_key
from infra.database import Database
from infra.demo import demo_api_key
from infra.settings import Settings


def revoke_all(database: Database) -> None:
    with psycopg.connect(database.owner_dsn) as conn:
        for record in list_api_keys(conn, "demo"):
            revoke_api_key(conn, "demo", str(record.key_id))


def test_a_made_key_that_was_revoked_is_replaced_by_another(
    database: Database, tmp_path: Path
) -> None:
    settings = Settings.model_validate({"BOOKING_DATA_DIR": tmp_path})
    first = demo_api_key(settings, database)
    assert demo_api_key(settings, database) == first

    revoke_all(database)

    second = demo_api_key(settings, database)
    assert second != first
    assert demo_api_key(settings, database) == second
    with psycopg.connect(database.owner_dsn) as conn:
        assert [key.state for key in list_api_keys(conn, "demo")] == ["revoked", "active"]


def test_a_key_that_is_set_and_was_revoked_is_not_let_in_again(
    database: Database, tmp_path: Path
) -> None:
    settings = Settings.model_validate(
        {"BOOKING_DATA_DIR": tmp_path, "BOOKING_DEMO_API_KEY": "chosen-by-hand"}
    )
    assert demo_api_key(settings, database) == demo_api_key(settings, database) == "chosen-by-hand"

    revoke_all(database)

    with pytest.raises(AccessError, match=r"BOOKING_DEMO_API_KEY sets was revoked.*Set another"):
        demo_api_key(settings, database)
