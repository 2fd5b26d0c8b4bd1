"""What was counted reaches the database exactly once, whatever is lost on the way."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest
from structlog.testing import capture_logs

from domain.ids import TenantId
from infra.access import create_tenant
from infra.database import Database
from infra.postgres.pool import Pool, open_pool, reading
from infra.usage import Counting, Tally, UsageKeeper, keeping, read_usage
from tests.engine.losing_proxy import LosingProxy, losing_proxy

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
FLUSH_STATEMENTS = 4  # begin, role and transaction, the figures, commit


@pytest.fixture
async def proxy(database: Database) -> AsyncIterator[tuple[LosingProxy, str]]:
    async with losing_proxy(database.runtime_dsn) as running:
        yield running


@pytest.fixture
async def pool(proxy: tuple[LosingProxy, str]) -> AsyncIterator[Pool]:
    opened = await open_pool(proxy[1], role="booking_api")
    yield opened
    await opened.close()


@pytest.fixture
def nova(database: Database) -> TenantId:
    with psycopg.connect(database.owner_dsn) as conn:
        return create_tenant(conn, "nova", "Nova")


def kept(database: Database, tenant_id: TenantId) -> dict[date, list[float]]:
    with psycopg.connect(database.owner_dsn) as conn:
        rows = conn.execute(
            "select day, commands, events, queries, seconds, refused"
            "  from booking.usage where tenant_id = %s",
            [tenant_id],
        ).fetchall()
    return {day: figures for day, *figures in rows}


def count_some(counting: Counting, tenant_id: TenantId) -> None:
    counting.answered(tenant_id, commands=3, queries=0, seconds=0.5)
    counting.answered(tenant_id, commands=0, queries=1, seconds=0.25)
    counting.appended(tenant_id, 4)
    counting.refused(tenant_id)


async def test_processes_add_up_by_day(database: Database, pool: Pool, nova: TenantId) -> None:
    now = NOON
    processes = [Counting(), Counting()]
    keepers = [UsageKeeper(pool, counting, lambda: now) for counting in processes]
    for counting, keeper in zip(processes, keepers, strict=True):
        for _ in range(2):
            count_some(counting, nova)
            await keeper.flush()
        await keeper.flush()  # with nothing new
    now += timedelta(days=1)
    count_some(processes[0], nova)
    await keepers[0].flush()
    assert kept(database, nova) == {
        date(2026, 3, 2): [12, 16, 4, 3.0, 4],
        date(2026, 3, 3): [3, 4, 1, 0.75, 1],
    }


@pytest.mark.parametrize("after", range(FLUSH_STATEMENTS))
async def test_an_answer_that_is_lost_makes_nothing_count_twice_or_never(
    database: Database, pool: Pool, proxy: tuple[LosingProxy, str], nova: TenantId, after: int
) -> None:
    counting = Counting()
    keeper = UsageKeeper(pool, counting, lambda: NOON)
    count_some(counting, nova)
    proxy[0].lose_answers(1, after=after)
    await keeper.flush()
    assert keeper.kept == 1
    count_some(counting, nova)
    while keeper.kept:
        await keeper.flush()
    assert kept(database, nova) == {NOON.date(): [6, 8, 2, 1.5, 2]}


async def test_what_may_still_be_committed_is_not_sent_again_before_that_is_known(
    database: Database, pool: Pool, nova: TenantId
) -> None:
    counting = Counting()
    keeper = UsageKeeper(pool, counting, lambda: NOON)
    count_some(counting, nova)
    with psycopg.connect(database.owner_dsn) as conn:
        (transaction,) = conn.execute("select pg_current_xact_id()::text").fetchone() or ("",)
        keeper._gather()
        keeper._parcel = keeper._packed()
        keeper._parcel.transaction = transaction
        await keeper.flush()
        assert keeper.kept == 1
        assert kept(database, nova) == {}
        conn.rollback()
    await keeper.flush()
    assert kept(database, nova) == {NOON.date(): [3, 4, 1, 0.75, 1]}


async def test_without_a_database_it_is_kept_by_its_day_and_bounded(
    proxy: tuple[LosingProxy, str],
    database: Database,
    nova: TenantId,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(keeping, "MOST_KEPT", 2)
    pool = await open_pool(proxy[1], role="booking_api")
    await pool.close()
    counting, now = Counting(), NOON
    keeper = UsageKeeper(pool, counting, lambda: now)
    with capture_logs() as log:
        for _ in range(3):
            count_some(counting, nova)
            await keeper.flush()
            now += timedelta(days=1)
    assert "usage.lost" in [line["event"] for line in log]
    keeper._pool = await open_pool(proxy[1], role="booking_api")
    await keeper.flush()
    await keeper._pool.close()
    assert len(kept(database, nova)) == 2


async def test_the_end_of_the_process_loses_nothing(
    database: Database, pool: Pool, nova: TenantId
) -> None:
    told: list[Tally] = []
    counting = Counting()
    keeper = UsageKeeper(pool, counting, lambda: NOON, lambda used: told.extend(used.values()))
    async with keeper.running():
        count_some(counting, nova)
    assert kept(database, nova) == {NOON.date(): [3, 4, 1, 0.75, 1]}
    assert told == [Tally(3, 4, 1, 0.75, 1)]


async def test_a_tenant_reads_its_own_figures_and_can_change_none(
    database: Database, pool: Pool, nova: TenantId
) -> None:
    with psycopg.connect(database.owner_dsn) as conn:
        orion = create_tenant(conn, "orion", "Orion")
    counting = Counting()
    count_some(counting, nova)
    await UsageKeeper(pool, counting, lambda: NOON).flush()
    year = (date(2026, 1, 1), date(2026, 12, 31))
    for reader, whose, days in ((nova, nova, 1), (orion, nova, 0), (orion, orion, 0)):
        async with reading(pool, reader) as conn:
            assert len(await read_usage(conn, whose, *year)) == days
    for statement in (
        "update booking.usage set refused = 0",
        "delete from booking.usage",
        "insert into booking.usage select * from booking.usage",
        "update booking.tenant_limit set rate = 0",
        "insert into booking.tenant_limit (tenant_id) values (booking.current_tenant())",
    ):
        with psycopg.connect(database.runtime_dsn) as conn:
            conn.execute("set role booking_api")
            conn.execute("select set_config('app.tenant_id', %s, true)", [str(nova)])
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                conn.execute(statement.encode())
