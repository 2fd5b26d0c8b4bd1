"""GET /v1/checkpoints: what an auditor keeps, so that a rewritten log is found out."""

from contextlib import nullcontext
from dataclasses import replace

import pytest
from psycopg import AsyncConnection

from api.services import Services
from infra.access import Role
from infra.database import Database
from infra.proof.checkpoints import sign_heads
from infra.proof.notes import PublicKey, SignedCheckpoint, SigningKey
from infra.proof.trust import TrustedKeys, Worth, trusted
from tests.api.conftest import Studio, assert_problem

OLD, NEW = SigningKey(b"o" * 32), SigningKey(b"n" * 32)


@pytest.fixture
def services(services: Services) -> Services:
    return replace(services, signing_keys=TrustedKeys((NEW.public, OLD.public)))


async def sign(database: Database, key: SigningKey) -> None:
    async with await AsyncConnection.connect(database.owner_dsn, autocommit=True) as conn:
        await sign_heads(lambda: nullcontext(conn), key)


async def test_pages_have_the_newest_first_and_notes_that_can_be_checked(
    studio: Studio, other_studio: Studio, database: Database
) -> None:
    await other_studio.resource()
    for key in (OLD, OLD, NEW):
        await studio.resource()
        await sign(database, key)
    page = (await studio.get("/v1/checkpoints?limit=2")).json()
    cursor = page["next_cursor"]
    last = (await studio.get(f"/v1/checkpoints?limit=2&cursor={cursor}")).json()
    assert last["next_cursor"] is None
    items = [*page["items"], *last["items"]]
    assert [item["position"] for item in items] == [3, 2, 1]

    keys = trusted(map(PublicKey.read, page["keys"]))
    assert keys == TrustedKeys((NEW.public, OLD.public))
    for item in items:
        signed = SignedCheckpoint.read(item["note"])
        assert keys.worth(signed) is Worth.GOOD
        assert (signed.checkpoint.seq, signed.checkpoint.hash.hex()) == (
            item["position"],
            item["hash"],
        )
        assert item["recorded_at"] <= item["signed_at"]


@pytest.mark.parametrize("role", ["viewer", "booker"])
async def test_they_are_for_admins_and_auditors(studio: Studio, role: Role) -> None:
    assert (await studio.as_role("auditor").get("/v1/checkpoints")).status_code == 200
    assert_problem(await studio.as_role(role).get("/v1/checkpoints"), 403, "forbidden")
