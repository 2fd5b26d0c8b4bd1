"""How far projections are, as `/readyz` and `/metrics` tell it, and how old that is."""

from collections.abc import AsyncIterator
from typing import cast

import psycopg
import pytest

from api.schemas.health import ReadinessBody
from api.services import Services
from infra.database import Database
from infra.postgres.pool import Pool, open_pool
from infra.projecting import ProjectionRunner
from infra.projecting.checkpoints import Checkpoints
from infra.projecting.lag import measure
from infra.projecting.lag_watch import LagWatch
from projections.catalogue import ASYNCHRONOUS
from tests.api.conftest import Studio

NAMES = sorted({projection.name for projection in ASYNCHRONOUS})


@pytest.fixture
async def projectors(database: Database) -> AsyncIterator[Pool]:
    pool = await open_pool(database.runtime_dsn, role="booking_projector", max_size=3)
    yield pool
    await pool.close()


async def measured(pool: Pool) -> None:
    async with pool.connection() as conn:
        await Checkpoints(ASYNCHRONOUS).begin(conn)
        await measure(conn, NAMES)


async def told(studio: Studio, services: Services) -> dict[str, dict[str, float]]:
    await services.lag_watch.look()
    answer = await studio.with_key(None).get("/readyz")
    assert answer.status_code == 200, answer.text
    ReadinessBody.model_validate(answer.json())
    return cast("dict[str, dict[str, float]]", answer.json()["projections"])


async def test_being_behind_or_parked_is_told_and_makes_no_process_unready(
    studio: Studio, services: Services, projectors: Pool, database: Database
) -> None:
    assert await told(studio, services) == {}
    for name in ("Stage A", "Stage B"):
        await studio.resource(name)
    await measured(projectors)
    behind = await told(studio, services)
    assert sorted(behind) == NAMES
    for each in behind.values():
        assert (each["events"], each["parked"]) == (2, 0)
        assert 0 < each["seconds"] < 60
        assert 0 <= each["age_seconds"] < 60
    figures = (await studio.get("/metrics")).text
    assert 'booking_projection_lag_events{projection="bookings"} 2.0' in figures
    for gauge in ("seconds", "parked", "age_seconds"):
        assert f'booking_projection_lag_{gauge}{{projection="bookings"}} ' in figures

    await ProjectionRunner(projectors, ASYNCHRONOUS).catch_up()
    with psycopg.connect(database.owner_dsn) as conn:
        conn.execute(
            """
            update booking.projection_checkpoint
               set parked_at = now(), parked_seq = 3, parked_error = 'ValueError'
             where projection = 'bookings'
            """
        )
    await measured(projectors)
    caught_up = await told(studio, services)
    assert {each["events"] for each in caught_up.values()} == {0}
    assert {each["seconds"] for each in caught_up.values()} == {0}
    assert caught_up["bookings"]["parked"] == 1


async def test_a_measurement_grows_old_when_nobody_measures_and_when_it_cannot_be_read(
    services: Services, projectors: Pool, database: Database
) -> None:
    time = 1000.0
    watch = LagWatch(services.pool, ["bookings"], lambda: time)
    await measured(projectors)
    with psycopg.connect(database.owner_dsn) as conn:
        conn.execute("update booking.projection_lag set measured_at = now() - interval '1 hour'")
    await watch.look()
    [known] = watch.lags()
    assert known.lag.projection == "bookings"
    assert 3600 <= known.age < 3660
    await services.pool.close()
    time += 50
    await watch.look()
    [still_known] = watch.lags()
    assert still_known.age == known.age + 50
