"""Refusals reach the database once, or are counted as dropped; and they do not grow without end."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import get_args

import psycopg
import pytest
from structlog.testing import capture_logs

from api.problems.catalogue import CATALOGUE
from api.routes.refusals import Reason
from domain.ids import BookingId, ResourceId, TenantId
from infra.access import create_tenant
from infra.database import Database
from infra.identity import new_id
from infra.postgres.pool import Pool, open_pool
from infra.refusals import (
    REASONS,
    RefusalKeeper,
    RefusalNotes,
    RefusedCommand,
    keeping,
    purge_refusals,
    purging,
)
from infra.refusals.noting import STEADY
from tests.engine.losing_proxy import LosingProxy, losing_proxy

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
STAGE = ResourceId(new_id())
FLUSH_STATEMENTS = 4  # begin, role, the refusals, commit

_SOMEBODY_WAITS = """
    select from pg_locks where relation = 'booking.refusal'::regclass and not granted
"""


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
        tenant_id = create_tenant(conn, "nova", "Nova")
        conn.execute(
            """
            insert into booking.resource
            values (%s, %s, 'Stage', 'stage', 'Europe/Vienna', '{}', false, 1, 1, now(), now())
            """,
            [tenant_id, STAGE],
        )
    return tenant_id


def refused(tenant_id: TenantId, at: datetime = NOW) -> RefusedCommand:
    return RefusedCommand(
        tenant_id=tenant_id,
        refusal_id=new_id(),
        refused_at=at,
        reason="booking-conflict",
        command="book",
        booking_id=BookingId(new_id()),
        resource_ids=(STAGE,),
        start_time=datetime(2026, 3, 28, 23, 30, tzinfo=UTC),  # the 29th in Vienna
        end_time=datetime(2026, 3, 29, 8, tzinfo=UTC),
        blocking_ids=(BookingId(new_id()),),
        actor="key:1",
        request_id="request-1",
    )


def noted(one: RefusedCommand) -> tuple[TenantId, Callable[[], RefusedCommand]]:
    return one.tenant_id, lambda: one


def kept(database: Database) -> tuple[int, list[tuple[date, int]]]:
    """How many refusals there are, and how many were counted for which day."""
    with psycopg.connect(database.owner_dsn) as conn:
        [number] = conn.execute("select count(*) from booking.refusal").fetchone() or (0,)
        days = conn.execute("select day, refusals from booking.refusal_day").fetchall()
    return number, days


async def test_processes_add_up_by_the_local_day_of_the_resource(
    database: Database, pool: Pool, nova: TenantId
) -> None:
    processes = [RefusalNotes(lambda _: None) for _ in range(2)]
    for notes in processes:
        for _ in range(keeping.AT_ONCE + 1):
            notes.note(*noted(refused(nova)))
    await asyncio.gather(*(RefusalKeeper(pool, notes).flush() for notes in processes))
    number = 2 * (keeping.AT_ONCE + 1)
    assert kept(database) == (number, [(date(2026, 3, 29), number)])


async def test_what_is_noted_meanwhile_is_kept_with_what_comes_next(
    database: Database, pool: Pool, nova: TenantId
) -> None:
    notes = RefusalNotes(lambda _: None)
    notes.note(*noted(refused(nova)))
    with psycopg.connect(database.owner_dsn) as owner:
        owner.execute("lock table booking.refusal")
        flushing = asyncio.create_task(RefusalKeeper(pool, notes).flush())
        while not owner.execute(_SOMEBODY_WAITS).rowcount:  # noqa: ASYNC110 - PostgreSQL tells nobody
            await asyncio.sleep(0.005)
        notes.note(*noted(refused(nova)))
        owner.rollback()
        await flushing
    assert (len(notes), kept(database)[0]) == (1, 1)


@pytest.mark.parametrize("after", range(FLUSH_STATEMENTS))
async def test_an_answer_that_is_lost_makes_nothing_kept_twice_or_never(
    database: Database, pool: Pool, proxy: tuple[LosingProxy, str], nova: TenantId, after: int
) -> None:
    notes = RefusalNotes(lambda _: None)
    keeper = RefusalKeeper(pool, notes)
    notes.note(*noted(refused(nova)))
    proxy[0].lose_answers(1, after=after)
    await keeper.flush()
    assert len(notes) == 1
    notes.note(*noted(refused(nova)))
    while len(notes):
        await keeper.flush()
    assert kept(database) == (2, [(date(2026, 3, 29), 2)])


async def test_counts_cannot_be_made_to_grow_by_invented_resources_and_dates(
    database: Database, pool: Pool, nova: TenantId
) -> None:
    notes = RefusalNotes(lambda _: None)
    far = datetime(2150, 1, 1, tzinfo=UTC)
    notes.note(*noted(replace(refused(nova), resource_ids=(ResourceId(new_id()),))))
    notes.note(*noted(replace(refused(nova), start_time=far, end_time=far + timedelta(hours=1))))
    notes.note(*noted(replace(refused(nova), start_time=None, end_time=None, resource_ids=())))
    await RefusalKeeper(pool, notes).flush()
    assert kept(database) == (3, [])


async def test_a_flood_is_dropped_beyond_its_bounds_and_crowds_nobody_out(
    database: Database, pool: Pool, nova: TenantId
) -> None:
    with psycopg.connect(database.owner_dsn) as conn:
        orion = create_tenant(conn, "orion", "Orion")
    dropped: list[int] = []
    now = 0.0
    notes = RefusalNotes(dropped.append, most=8, most_of_a_tenant=5, clock=lambda: now)
    with capture_logs() as log:
        for _ in range(1000):
            notes.note(*noted(refused(nova)))
        for _ in range(10):
            notes.note(*noted(refused(orion)))
    assert (len(notes), sum(dropped)) == (8, 1002)
    assert [each.tenant_id for each in notes.first(8)] == [nova] * 5 + [orion] * 3
    assert [line["event"] for line in log] == ["refusals.dropped"]  # once, and not a thousand times
    await RefusalKeeper(pool, notes).flush()
    assert kept(database)[0] == 8
    notes.note(*noted(refused(nova)))  # there is room, but it had its share
    assert len(notes) == 0
    now += 2 / STEADY
    for _ in range(10):
        notes.note(*noted(refused(nova)))
    assert len(notes) == 2
    now += 3600
    for _ in range(10):
        notes.note(*noted(refused(nova)))
    assert len(notes) == 5


async def test_without_a_database_notes_wait_and_what_cannot_be_kept_is_given_up(
    proxy: tuple[LosingProxy, str], nova: TenantId
) -> None:
    closed = await open_pool(proxy[1], role="booking_api")
    await closed.close()
    dropped: list[int] = []
    notes = RefusalNotes(dropped.append)
    notes.note(*noted(refused(nova)))
    with capture_logs() as log:
        await RefusalKeeper(closed, notes).flush()
        assert (len(notes), dropped) == (1, [])
        async with RefusalKeeper(closed, notes).running():  # the process ends
            pass
    assert (len(notes), dropped) == (0, [1])
    assert "refusals.dropped" in [line["event"] for line in log]
    pool = await open_pool(proxy[1], role="booking_api")
    notes.note(*noted(replace(refused(nova), reason="\0")))  # PostgreSQL takes no such text
    await RefusalKeeper(pool, notes).flush()
    await pool.close()
    assert (len(notes), sum(dropped)) == (0, 2)


async def test_what_is_old_goes_and_of_too_many_the_oldest(
    database: Database, pool: Pool, nova: TenantId, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purging, "AT_ONCE", 3)
    with psycopg.connect(database.owner_dsn) as conn:
        orion = create_tenant(conn, "orion", "Orion")
    now = datetime.now(UTC)
    notes = RefusalNotes(lambda _: None)
    for hours in range(10):
        notes.note(*noted(refused(nova, now - timedelta(hours=hours))))
    for days in (1, 2, 89, 91, 92, 93, 94):
        notes.note(*noted(refused(orion, now - timedelta(days=days))))
    await RefusalKeeper(pool, notes).flush()
    background = await open_pool(database.runtime_dsn, role="booking_background")
    assert await purge_refusals(background, most_of_a_tenant=4) == 6 + 4
    assert await purge_refusals(background, most_of_a_tenant=4) == 0
    await background.close()
    with psycopg.connect(database.owner_dsn) as conn:
        left = conn.execute(
            "select tenant_id, refused_at from booking.refusal order by refused_at desc"
        ).fetchall()
    assert [at for tenant_id, at in left if tenant_id == nova] == [
        now - timedelta(hours=hours) for hours in range(4)
    ]
    assert sum(tenant_id == orion for tenant_id, _ in left) == 3


def test_the_reasons_are_the_names_of_problems() -> None:
    assert set(REASONS) == set(get_args(Reason))
    assert set(REASONS) <= set(CATALOGUE)
