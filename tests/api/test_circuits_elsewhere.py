"""What other processes find out about things outside is seen where operators ask a server."""

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from uuid import UUID, uuid4

import psycopg
import pytest
from fastapi import FastAPI

from api.app import build_app
from api.bootstrap import running_services
from api.guards import Guards
from api.schemas.health import CircuitElsewhereBody, ReadinessBody
from api.services import Services, provide
from infra.circuit_watch import CircuitWatch
from infra.database import Database
from infra.master_key import MasterKey
from infra.postgres.pool import Pool, open_pool
from infra.settings import Settings
from infra.told_circuits import HOLDS, Told, tell_circuits, telling
from tests.api.conftest import Studio, make_studio, new_booking
from tests.clock import Clock
from tests.publishing.impatient_follower import impatient_follower
from tests.publishing.local_cloudflare import TOKEN, ZONE, Reply, local_cloudflare
from tests.webhooks.receiver import SECONDS, Receiver

KEY = bytes(32)
Shown = dict[str, dict[str, CircuitElsewhereBody]]
OPEN, CLOSED = Told("open", 1), Told("closed", 0)


@pytest.fixture
async def services(database: Database) -> AsyncIterator[Services]:
    guards = Guards(webhooks_anywhere=True)
    async with running_services(
        database.runtime_dsn, MasterKey(KEY), connections=4, guards=guards
    ) as services:
        yield services


@pytest.fixture
def app(services: Services) -> FastAPI:
    app = build_app()
    provide(app, services)
    return app


@pytest.fixture
def studio(database: Database, app: FastAPI) -> Studio:
    return make_studio(database, app, "nova")


@pytest.fixture
async def projectors(database: Database) -> AsyncIterator[Pool]:
    pool = await open_pool(database.runtime_dsn, role="booking_projector", max_size=2)
    yield pool
    await pool.close()


def minutes_pass(database: Database) -> None:
    with psycopg.connect(database.owner_dsn) as conn:
        conn.execute(
            """
            update booking.told_circuit
               set told_at = told_at - interval '2 minutes',
                   holds_until = holds_until - interval '2 minutes'
            """
        )


def kept(database: Database) -> int:
    with psycopg.connect(database.owner_dsn) as conn:
        [(rows,)] = conn.execute("select count(*) from booking.told_circuit").fetchall()
        return int(rows)


async def shown(services: Services, studio: Studio) -> Shown:
    """What a server tells at its next look: it is ready, whatever that is."""
    await services.circuit_watch.look()
    ready = await studio.with_key(None).get("/readyz")
    assert ready.status_code == 200, ready.text
    return {
        process: dict(circuits)
        for process, circuits in ReadinessBody.model_validate(
            ready.json()
        ).circuits_elsewhere.items()
    }


async def once(services: Services, studio: Studio, enough: Callable[[Shown], bool]) -> None:
    async with asyncio.timeout(SECONDS):
        while True:
            if enough(await shown(services, studio)):
                return
            await asyncio.sleep(0.02)


def left_alone(circuit: str, number: int) -> Callable[[Shown], bool]:
    def is_so(shown: Shown) -> bool:
        told = shown.get("projector", {}).get(circuit)
        return told is not None and told.left_alone == number

    return is_so


async def figures(studio: Studio) -> list[str]:
    told = (await studio.get("/metrics")).text
    return [line for line in told.splitlines() if line.startswith("booking_circuit_open{")]


async def test_what_a_projector_leaves_alone_is_told_by_a_server_and_bookings_go_on(
    database: Database, services: Services, studio: Studio
) -> None:
    stage = await studio.resource()
    link = await studio.post(f"/v1/resources/{stage}/public-link")
    assert link.status_code == 200, link.text
    with local_cloudflare() as cloudflare:
        async with Receiver().listening() as receiver:
            settings = Settings(
                BOOKING_MASTER_KEY=base64.b64encode(KEY).decode(),
                BOOKING_WEBHOOKS_ANYWHERE=True,
                CLOUDFLARE_ZONE_ID=ZONE,
                CLOUDFLARE_API_TOKEN=TOKEN,
                CLOUDFLARE_API=cloudflare.endpoint,
            )
            with impatient_follower(database.runtime_dsn, settings) as follower:
                await once(services, studio, left_alone("Cloudflare", 0))
                await once(services, studio, left_alone("webhook endpoints", 0))
                cloudflare.replies += [Reply(500)] * 1_000
                receiver.answers(503, Retry_After="600")
                for _ in range(2):
                    await studio.post("/v1/webhook-endpoints", {"url": receiver.url})
                await studio.booking(stage)
                await once(services, studio, left_alone("Cloudflare", 1))
                await once(services, studio, left_alone("webhook endpoints", 2))
                later = {"start_time": "2027-03-02T09:00:00Z", "end_time": "2027-03-02T10:00:00Z"}
                answer = await studio.post("/v1/bookings", new_booking([stage], **later))
                assert answer.status_code == 201, answer.text
                assert await figures(studio) == [
                    'booking_circuit_open{circuit="Cloudflare",process="projector"} 1.0',
                    'booking_circuit_open{circuit="webhook endpoints",process="projector"} 2.0',
                ]

                cloudflare.replies.clear()
                await once(services, studio, left_alone("Cloudflare", 0))

                follower.kill()
                follower.join()
                assert "projector" in await shown(services, studio)
                minutes_pass(database)
                assert await shown(services, studio) == {}
                assert await figures(studio) == []


async def test_of_several_that_tell_the_one_that_finds_it_worst_is_believed_for_a_while(
    database: Database, services: Services, studio: Studio, projectors: Pool
) -> None:
    trying = Told("half-open", 1)
    async with projectors.connection() as conn:
        for told in (CLOSED, OPEN, trying):
            await tell_circuits(conn, "projector", uuid4(), {"Cloudflare": told}, HOLDS)
        for endpoints in (3, 7, 0):
            told = Told.of_many(endpoints)
            await tell_circuits(conn, "projector", uuid4(), {"webhook endpoints": told}, HOLDS)
        await tell_circuits(conn, "export", UUID(int=0), {"object store": OPEN}, HOLDS)
    by_process = await shown(services, studio)
    assert {
        (process, name, each.state, each.left_alone)
        for process, circuits in by_process.items()
        for name, each in circuits.items()
    } == {
        ("projector", "Cloudflare", "open", 1),
        ("projector", "webhook endpoints", "open", 7),
        ("export", "object store", "open", 1),
    }  # fmt: skip
    assert (
        'booking_circuit_age_seconds{circuit="object store",process="export"} '
        in (await studio.get("/metrics")).text
    )

    minutes_pass(database)
    async with projectors.connection() as conn:
        await tell_circuits(conn, "projector", uuid4(), {"Cloudflare": CLOSED}, HOLDS)
    [(process, circuits)] = (await shown(services, studio)).items()
    assert (process, circuits["Cloudflare"].state, len(circuits)) == ("projector", "closed", 1)


async def test_a_teller_has_one_row_for_each_circuit_and_purges_what_is_old(
    database: Database, projectors: Pool
) -> None:
    for state in (CLOSED, OPEN):
        async with telling(projectors, {"Cloudflare": state}.copy):
            assert kept(database) == 1
        assert kept(database) == 1
        minutes_pass(database)


async def test_what_is_known_grows_old_also_where_it_cannot_be_read_anew(
    services: Services, projectors: Pool
) -> None:
    clock = Clock()
    watch = CircuitWatch(services.pool, clock)
    async with projectors.connection() as conn:
        told = {"Cloudflare": OPEN}
        await tell_circuits(conn, "projector", uuid4(), told, timedelta(seconds=1000))
    await watch.look()
    [known] = watch.circuits()
    assert known.age < 100
    await services.pool.close()
    clock.seconds = 800
    await watch.look()
    [still_known] = watch.circuits()
    assert still_known.age == known.age + 800
    clock.seconds = 1000
    await watch.look()
    assert watch.circuits() == []


async def test_a_database_without_the_table_keeps_nobody_from_work(
    database: Database, services: Services, projectors: Pool
) -> None:
    with psycopg.connect(database.owner_dsn) as conn:
        conn.execute("drop table booking.told_circuit")
    async with telling(projectors, {"Cloudflare": OPEN}.copy):
        await services.circuit_watch.look()
    assert services.circuit_watch.circuits() == []
