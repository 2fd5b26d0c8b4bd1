"""When a key was last used: written down together, seldom, and by a role that may do no more."""

import asyncio
from datetime import timedelta

import psycopg
import pytest
from psycopg import sql
from structlog.testing import capture_logs

from domain.ids import TenantId
from infra.access import ApiKeys, create_api_key, list_api_keys
from infra.access.key_form import digest_of
from infra.access.last_use import KEYS_NOTED, HeldKey, LastUses
from infra.database import Database
from infra.identity import new_id
from infra.postgres.pool import Pool
from tests.clock import Clock


def unused_for(database: Database) -> list[timedelta | None]:
    """How long ago each key was used."""
    with psycopg.connect(database.owner_dsn) as conn:
        return [
            since
            for (since,) in conn.execute(
                "SELECT clock_timestamp() - last_used_at FROM booking.api_key ORDER BY key_id"
            )
        ]


def waits_for_a_lock(conn: psycopg.Connection) -> bool:
    [(waits,)] = conn.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
    return bool(waits)


def seconds(since: timedelta | None) -> float:
    assert since is not None
    return since.total_seconds()


async def test_a_use_is_written_with_its_time_and_not_while_the_key_is_let_in(
    database: Database, pool: Pool, key: str
) -> None:
    clock = Clock()
    keys = ApiKeys(pool, clock)
    with psycopg.connect(database.owner_dsn) as conn:
        create_api_key(conn, "babelsberg", "viewer")  # which nobody uses
    assert await keys.authenticate(key)
    clock.seconds = 5.0
    assert await keys.authenticate(key)
    assert unused_for(database) == [None, None]

    clock.seconds = 45.0
    await keys.last_uses.write()

    used, unused = unused_for(database)
    assert 40.0 <= seconds(used) < 45.0
    assert unused is None
    with psycopg.connect(database.owner_dsn) as conn:
        assert list_api_keys(conn, "babelsberg")[0].last_used_at is not None


async def test_a_later_use_that_another_process_wrote_stays(
    database: Database, pool: Pool, key: str
) -> None:
    clock = Clock()
    slow, quick = ApiKeys(pool, clock), ApiKeys(pool, clock)
    await slow.authenticate(key)
    clock.seconds = 50.0
    await quick.authenticate(key)
    await quick.last_uses.write()
    await slow.last_uses.write()
    [used] = unused_for(database)
    assert seconds(used) < 10.0


async def test_uses_are_written_every_so_often_and_once_more_at_the_end(
    database: Database, pool: Pool, key: str
) -> None:
    clock = Clock()
    keys = ApiKeys(pool, clock)
    async with asyncio.timeout(10):
        async with keys.last_uses.written(seconds=0.01):
            await keys.authenticate(key)
            while unused_for(database) == [None]:  # noqa: ASYNC110 - a row tells of no event
                await asyncio.sleep(0.01)
        async with keys.last_uses.written(seconds=1000.0):
            clock.seconds = 1e6
            await keys.authenticate(key)
            clock.seconds += 3600.0
            with psycopg.connect(database.owner_dsn) as conn:
                conn.execute("UPDATE booking.api_key SET last_used_at = NULL")
    [used] = unused_for(database)
    assert seconds(used) >= 3600.0


async def test_a_writing_that_is_under_way_at_the_end_is_finished(
    database: Database, pool: Pool, key: str
) -> None:
    keys = ApiKeys(pool, Clock())
    await keys.authenticate(key)
    with psycopg.connect(database.owner_dsn) as owner:
        owner.execute("SELECT FROM booking.api_key FOR UPDATE")
        async with asyncio.timeout(10), keys.last_uses.written(seconds=0.01):
            while not waits_for_a_lock(owner):  # noqa: ASYNC110 - a lock tells of no event
                await asyncio.sleep(0.01)
            asyncio.get_running_loop().call_later(0.1, owner.rollback)
    assert unused_for(database) != [None]


async def test_what_cannot_be_written_is_told_and_written_the_next_time(
    database: Database, pool: Pool, key: str
) -> None:
    keys = ApiKeys(pool, Clock())
    await keys.authenticate(key)
    with psycopg.connect(database.owner_dsn, autocommit=True) as owner, capture_logs() as lines:
        owner.execute("REVOKE UPDATE (last_used_at) ON booking.api_key FROM booking_api")
        await keys.last_uses.write()
        owner.execute("GRANT UPDATE (last_used_at) ON booking.api_key TO booking_api")
    assert [line["event"] for line in lines] == ["access.last_use_not_written"]
    assert unused_for(database) == [None]

    await keys.last_uses.write()

    assert unused_for(database) != [None]


async def test_only_so_many_keys_are_noted(pool: Pool) -> None:
    uses = LastUses(pool, Clock())
    held = [
        HeldKey(f"{number:064x}", TenantId(new_id()), new_id()) for number in range(KEYS_NOTED + 10)
    ]
    for key in held:
        uses.note(key, 1.0)
    uses.note(held[0], 2.0)
    assert len(uses._noted) == KEYS_NOTED
    assert uses._noted[held[0].digest] == (held[0], 2.0)


def test_the_api_may_write_nothing_else_and_of_no_key_whose_hash_it_cannot_name(
    database: Database, key: str
) -> None:
    write = "UPDATE booking.api_key SET last_used_at = clock_timestamp()"
    with psycopg.connect(database.owner_dsn) as owner:
        create_api_key(owner, "babelsberg", "viewer")
        described = owner.execute("TABLE booking.api_key").description or ()
    columns = [column.name for column in described]
    columns.remove("last_used_at")
    with psycopg.connect(database.runtime_dsn, autocommit=True) as conn:
        conn.execute("SET ROLE booking_api")
        assert conn.execute(write).rowcount == 0
        conn.execute("SELECT set_config('app.api_key_hash', %s, false)", [digest_of(key).hex()])
        assert conn.execute(write).rowcount == 1
        for column in columns:
            change = sql.SQL("UPDATE booking.api_key SET {0} = {0}").format(sql.Identifier(column))
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                conn.execute(change)
        for statement in ("DELETE FROM booking.api_key", "TRUNCATE booking.api_key"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                conn.execute(statement)
