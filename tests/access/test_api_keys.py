"""Tenants and API keys, as an owner makes them and as the runtime role finds them."""

import asyncio
from collections.abc import AsyncIterator

import psycopg
import pytest

from infra.access import AccessError, ApiKeys, create_api_key, create_tenant, new_api_key
from infra.access.api_keys import ASKED_AT_ONCE, KEYS_ASKED
from infra.database import Database
from infra.errors import Overloaded
from infra.postgres.pool import Pool, open_pool


class Clock:
    """Stands still until told otherwise."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[Pool]:
    opened = await open_pool(database.runtime_dsn, role="booking_api")
    yield opened
    await opened.close()


@pytest.fixture
def key(database: Database) -> str:
    with psycopg.connect(database.owner_dsn) as conn:
        create_tenant(conn, "babelsberg", "Studio Babelsberg")
        return create_api_key(conn, "babelsberg", "admin")


def revoke_all(database: Database) -> None:
    with psycopg.connect(database.owner_dsn) as conn:
        conn.execute("UPDATE booking.api_key SET revoked_at = clock_timestamp()")


async def test_a_key_names_its_tenant_and_role(database: Database, pool: Pool) -> None:
    with psycopg.connect(database.owner_dsn) as conn:
        tenant_id = create_tenant(conn, "babelsberg", "Studio Babelsberg")
        create_tenant(conn, "cinecitta", "Cinecittà")
        key = create_api_key(conn, "babelsberg", "booker")
        create_api_key(conn, "cinecitta", "admin")

    principal = await ApiKeys(pool).authenticate(key)

    assert principal is not None
    assert (principal.tenant_id, principal.role) == (tenant_id, "booker")


async def test_what_is_no_key_is_nobody(database: Database, pool: Pool) -> None:
    with psycopg.connect(database.owner_dsn) as conn:
        create_tenant(conn, "babelsberg", "Studio Babelsberg")
        create_api_key(conn, "babelsberg", "booker")
    keys = ApiKeys(pool)

    for stranger in (new_api_key(), "", "bk_", "x" * 100_000, "\udc80\x00' or true --"):
        assert await keys.authenticate(stranger) is None


async def test_a_revoked_key_is_let_in_for_ten_seconds_at_most(
    database: Database, pool: Pool
) -> None:
    with psycopg.connect(database.owner_dsn) as conn:
        create_tenant(conn, "babelsberg", "Studio Babelsberg")
        key = create_api_key(conn, "babelsberg", "admin")
    clock = Clock()
    keys = ApiKeys(pool, clock)
    first = await keys.authenticate(key)
    assert first is not None

    revoke_all(database)
    clock.seconds = 9.9
    assert await keys.authenticate(key) == first
    clock.seconds = 10.0
    assert await keys.authenticate(key) is None


async def test_a_new_key_works_at_once_although_it_was_refused_before(
    database: Database, pool: Pool
) -> None:
    keys, key = ApiKeys(pool), new_api_key()
    assert await keys.authenticate(key) is None

    with psycopg.connect(database.owner_dsn) as conn:
        create_tenant(conn, "babelsberg", "Studio Babelsberg")
        create_api_key(conn, "babelsberg", "viewer", key=key)

    assert await keys.authenticate(key) is not None


async def test_only_so_many_keys_are_remembered(database: Database, pool: Pool) -> None:
    with psycopg.connect(database.owner_dsn) as conn:
        create_tenant(conn, "babelsberg", "Studio Babelsberg")
        first, second = (create_api_key(conn, "babelsberg", "viewer") for _ in range(2))
    keys = ApiKeys(pool, trusted_keys=1)
    assert await keys.authenticate(first)
    assert await keys.authenticate(second)

    revoke_all(database)

    assert await keys.authenticate(first) is None
    assert await keys.authenticate(second) is not None


def test_only_a_hash_of_a_key_is_stored(database: Database) -> None:
    with psycopg.connect(database.owner_dsn) as conn:
        create_tenant(conn, "babelsberg", "Studio Babelsberg")
        key = create_api_key(conn, "babelsberg", "viewer")
        row = conn.execute("SELECT api_key::text FROM booking.api_key").fetchone()

    assert len(key) == len("bk_") + 43
    assert row is not None
    assert key not in row[0]


def test_a_slug_is_taken_once(database: Database) -> None:
    with psycopg.connect(database.owner_dsn) as conn:
        create_tenant(conn, "babelsberg", "Studio Babelsberg")
        with pytest.raises(AccessError, match="already"):
            create_tenant(conn, "babelsberg", "Another")
        assert conn.execute("SELECT count(*) FROM booking.tenant_head").fetchone() == (1,)


@pytest.mark.parametrize("slug", ["", "Demo", "-demo", "a b", "a" * 64, "demo\n", "démo"])
def test_a_malformed_slug_is_refused(database: Database, slug: str) -> None:
    with (
        psycopg.connect(database.owner_dsn) as conn,
        pytest.raises(AccessError, match="lower-case letters"),
    ):
        create_tenant(conn, slug, "Studio")


def test_a_key_wants_a_tenant_that_exists(database: Database) -> None:
    with (
        psycopg.connect(database.owner_dsn) as conn,
        pytest.raises(AccessError, match="booking tenant create nobody"),
    ):
        create_api_key(conn, "nobody", "viewer")


def test_the_same_key_for_another_tenant_is_refused(database: Database) -> None:
    with psycopg.connect(database.owner_dsn) as conn:
        create_tenant(conn, "babelsberg", "Studio Babelsberg")
        create_tenant(conn, "cinecitta", "Cinecittà")
        key = create_api_key(conn, "babelsberg", "admin")
        assert create_api_key(conn, "babelsberg", "admin", key=key) == key
        with pytest.raises(AccessError, match="in use already"):
            create_api_key(conn, "cinecitta", "admin", key=key)


async def test_many_who_come_with_one_key_at_once_ask_the_database_once(
    pool: Pool, key: str
) -> None:
    keys = ApiKeys(pool)
    asked = pool.get_stats().get("requests_num", 0)
    found = await asyncio.gather(*(keys.authenticate(key) for _ in range(64)))
    assert None not in found
    assert len(set(found)) == 1
    assert pool.get_stats().get("requests_num", 0) == asked + 1


async def test_one_who_leaves_does_not_take_the_answer_from_the_others(
    pool: Pool, key: str
) -> None:
    keys = ApiKeys(pool)
    first, second = (asyncio.create_task(keys.authenticate(key)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert await second is not None


async def test_whatever_keys_are_tried_most_connections_are_left_for_others(
    pool: Pool, key: str
) -> None:
    keys = ApiKeys(pool)
    asked_before = pool.get_stats().get("requests_num", 0)
    tries = [
        asyncio.create_task(keys.authenticate(f"guess-{number}")) for number in range(KEYS_ASKED)
    ]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await keys.authenticate("one too many")
    await asyncio.sleep(0)  # those whose turn it is have asked for a connection
    assert pool.get_stats().get("requests_num", 0) - asked_before <= ASKED_AT_ONCE
    assert set(await asyncio.gather(*tries)) == {None}
    assert await keys.authenticate(key) is not None
