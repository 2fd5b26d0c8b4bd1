"""Steps that are too much for the bounds of their statements are taken again, smaller."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from domain.ids import TenantId
from infra.database import Database
from infra.identity import new_id
from infra.postgres.pool import Pool, Waits, open_pool
from infra.projecting import ProjectionRunner
from infra.projecting.step_sizes import StepSizes
from projections.asynchronous import Batch
from projections.bookings.projecting import BOOKINGS
from tests.engine.conftest import HOUR, NINE, Studio, book
from tests.projecting.conftest import Projecting


@pytest.fixture
async def hasty(database: Database) -> AsyncIterator[Pool]:
    waits = Waits(statement=timedelta(seconds=0.25))
    pool = await open_pool(database.runtime_dsn, role="booking_projector", max_size=3, waits=waits)
    yield pool
    await pool.close()


async def test_a_step_that_takes_too_long_is_taken_again_with_half_the_events(
    studio: Studio, projecting: Projecting, hasty: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.projecting.runner.PAUSE_SECONDS", 0.0)
    stage = await studio.resource()
    for hour in range(40):
        await studio.booked(book(stage, start=NINE + hour * HOUR))
    tried: list[int] = []

    async def slow(batch: Batch) -> None:
        tried.append(len(batch.events))
        await batch.conn.execute("select pg_sleep(%s)", [0.02 * len(batch.events)])
        await BOOKINGS.apply(batch)

    slowly = replace(BOOKINGS, apply=slow)
    await ProjectionRunner(hasty, [slowly], events_at_once=32).catch_up()
    # The first step has the registration too, which is none of its events.
    assert tried[:3] == [31, 15, 7]
    assert sum(tried[2:]) >= 40
    assert len(projecting.bookings) == 2 * 40
    kept = projecting.bookings
    assert projecting.rows("select seq, is_live from booking.projection_checkpoint") == [(41, True)]
    await projecting.runner().catch_up()
    assert projecting.bookings == kept


def test_sizes_are_halved_down_to_one_and_grow_back_slowly_tenant_by_tenant() -> None:
    sizes, one, other = StepSizes(500), TenantId(new_id()), TenantId(new_id())
    seen = []
    for _ in range(11):
        sizes.failed(one)
        seen.append(sizes.of(one))
    assert seen == [250, 125, 62, 31, 15, 7, 3, 1, 1, 1, 1]
    assert sizes.of(other) == 500
    for _ in range(20):
        before = sizes.of(one)
        sizes.succeeded(one)
        assert sizes.of(one) == min(500, before + 31)
    assert sizes.of(one) == 500
