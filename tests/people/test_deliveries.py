"""A delivery has its effect once and whole, and is forgotten after some days."""

import asyncio
from datetime import timedelta

import psycopg
import pytest

from infra.database import Database
from infra.people import Directory, running_directory
from infra.people import directory as directories
from infra.people.deliveries import KEPT, purge_deliveries
from infra.people.facts import AccountTold, Fact, MembershipTold, OrganisationTold
from infra.postgres.pool import open_pool
from tests.people.conftest import ISSUER, Rows, at, delivery_id

NOVA = OrganisationTold("org_nova", "nova", "Nova", at(0))
JOINS = MembershipTold(NOVA, "user_ada", None, None, "booker", at(1), removed=False)


def named(name: str, seconds: float) -> AccountTold:
    return AccountTold("user_ada", "ada@example.org", name, at(seconds))


async def test_what_comes_again_changes_nothing(directory: Directory, rows: Rows) -> None:
    assert await directory.deliver("msg_1", ISSUER, named("Ada", 1))
    assert not await directory.deliver("msg_1", ISSUER, named("Ida", 2))

    assert [row["name"] for row in rows("select name from booking.account")] == ["Ada"]


async def test_what_comes_at_once_has_its_effect_once(database: Database) -> None:
    barrier = asyncio.Barrier(4)

    async def process() -> bool:
        async with running_directory(database.runtime_dsn) as directory:
            await barrier.wait()
            return await directory.deliver("msg_1", ISSUER, JOINS)

    outcomes = await asyncio.gather(*(process() for _ in range(4)))

    assert sorted(outcomes) == [False, False, False, True]


async def test_what_failed_is_done_when_it_comes_again(directory: Directory, rows: Rows) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        await directory.deliver("msg_1", ISSUER, named("x" * 601, 1))
    assert rows("select from booking.webhook_delivery") == []

    assert await directory.deliver("msg_1", ISSUER, named("Ada", 1))
    assert [row["name"] for row in rows("select name from booking.account")] == ["Ada"]


@pytest.mark.parametrize("first", [named("Ada", 2), JOINS], ids=["account", "membership"])
async def test_copies_are_not_older_than_the_account_that_changes_at_the_same_time(
    database: Database, directory: Directory, rows: Rows, first: Fact
) -> None:
    await directory.deliver(delivery_id(), ISSUER, named("Old", 0))
    await directory.deliver(delivery_id(), ISSUER, NOVA)
    second = JOINS if first is not JOINS else named("Ada", 2)
    async with directory._pool.connection() as conn, conn.transaction():
        await directories._tell(conn, ISSUER, first)
        waiting = asyncio.create_task(directory.deliver(delivery_id(), ISSUER, second))
        with psycopg.connect(database.owner_dsn, autocommit=True) as owner:
            while not owner.execute("select 1 from pg_locks where not granted").fetchone():
                assert not waiting.done()
                await asyncio.sleep(0.005)
    await waiting

    assert [row["name"] for row in rows("select name from booking.person")] == ["Ada"]


async def test_deliveries_are_forgotten_when_nobody_sends_them_any_more(
    database: Database, directory: Directory, rows: Rows
) -> None:
    for number in range(3):
        await directory.deliver(f"msg_{number}", ISSUER, named("Ada", number))
    with psycopg.connect(database.owner_dsn) as owner:
        owner.execute(
            "update booking.webhook_delivery set received_at = now() - %s"
            " where delivery_id <> 'msg_2'",
            [KEPT + timedelta(seconds=1)],
        )
    background = await open_pool(database.runtime_dsn, role="booking_background")

    assert await purge_deliveries(background) == 2
    assert await purge_deliveries(background) == 0
    await background.close()
    left = rows("select delivery_id from booking.webhook_delivery")
    assert left == [{"delivery_id": "msg_2"}]
