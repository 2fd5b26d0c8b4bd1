"""API keys, as the runtime role finds out who holds one."""

import asyncio
from datetime import timedelta

import psycopg
import pytest

from infra.access import ApiKeys, create_api_key, create_tenant, new_api_key, rotate_api_key
from infra.access.api_keys import ASKED_AT_ONCE, KEYS_ASKED
from infra.database import Database
from infra.errors import Overloaded
from infra.postgres.pool import Pool
from tests.clock import Clock


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
    database: Database, pool: Pool, key: str
) -> None:
    clock = Clock()
    keys = ApiKeys(pool, clock)
    first = await keys.authenticate(key)
    assert first is not None

    revoke_all(database)
    clock.seconds = 9.9
    assert await keys.authenticate(key) == first
    clock.seconds = 10.0
    assert await keys.authenticate(key) is None


def expire_in(database: Database, seconds: float) -> None:
    with psycopg.connect(database.owner_dsn) as conn:
        conn.execute(
            "UPDATE booking.api_key SET expires_at = clock_timestamp() + %s",
            [timedelta(seconds=seconds)],
        )


async def test_an_expired_key_is_not_let_in(database: Database, pool: Pool, key: str) -> None:
    expire_in(database, -0.001)

    assert await ApiKeys(pool).authenticate(key) is None


async def test_a_key_that_expires_is_trusted_until_then_and_no_longer(
    database: Database, pool: Pool, key: str
) -> None:
    """It expires within the seconds that an answer of the database is trusted for."""
    expire_in(database, 5.0)
    clock = Clock()
    keys = ApiKeys(pool, clock)
    assert await keys.authenticate(key) is not None

    expire_in(database, -0.001)  # as the database's clock will see it then
    clock.seconds = 4.0
    assert await keys.authenticate(key) is not None
    clock.seconds = 5.0
    assert await keys.authenticate(key) is None


async def test_a_rotated_key_lets_in_beside_the_new_one_until_the_overlap_ends(
    database: Database, pool: Pool, key: str
) -> None:
    clock = Clock()
    keys = ApiKeys(pool, clock)
    old = await keys.authenticate(key)
    assert old is not None
    with psycopg.connect(database.owner_dsn) as conn:
        issued, _ = rotate_api_key(conn, "babelsberg", key[:11], timedelta(seconds=15))

    clock.seconds = 10.0  # what was known from before the rotation is asked for again
    both = [await keys.authenticate(key), await keys.authenticate(issued.secret)]
    assert both[0] == old
    assert both[1] is not None
    assert (both[1].tenant_id, both[1].role) == (old.tenant_id, old.role)
    assert both[1].actor != old.actor
    with psycopg.connect(database.owner_dsn) as conn:  # the overlap ends
        conn.execute(
            "UPDATE booking.api_key SET expires_at = clock_timestamp() WHERE expires_at IS NOT NULL"
        )
    clock.seconds = 25.0
    assert await keys.authenticate(key) is None
    assert await keys.authenticate(issued.secret) is not None


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
