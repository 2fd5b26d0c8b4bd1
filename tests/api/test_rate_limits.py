"""Rate limits as clients meet them: what they are told, what is refused, and what never is."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
import pytest
from httpx import Response
from structlog.typing import EventDict

from api.app import build_app
from api.bootstrap import running_services
from api.guards import Guards
from api.services import Services, provide
from infra.access import tenant_named
from infra.database import Database
from infra.limits import Allowance
from infra.limits.keeping import NO_LIMIT, keep_limit
from infra.limits.of_tenants import DefaultLimits, TenantLimit
from infra.master_key import MasterKey
from tests.api.conftest import Json, Studio, assert_problem, make_studio, new_booking
from tests.redis_server import RedisServer

ITEM = re.compile(r'"(tenant|key)";r=(\d+);t=(\d+)')
MASTER_KEY = MasterKey(bytes(32))


@asynccontextmanager
async def limited(
    database: Database, tenant: Allowance, key: Allowance, **more: str
) -> AsyncIterator[tuple[Studio, Studio, Services]]:
    """Two studios, and services that limit both."""
    guards = Guards(limits=DefaultLimits(tenant, key), redis_url=more.get("redis_url"))
    async with running_services(
        database.runtime_dsn, MASTER_KEY, connections=4, guards=guards
    ) as services:
        app = build_app()
        provide(app, services)
        nova, orion = (make_studio(database, app, slug) for slug in ("nova", "orion"))
        yield nova, orion, services


def left(answer: Response) -> dict[str, int]:
    """What the field RateLimit says is left."""
    items = answer.headers["ratelimit"].split(", ")
    found = [ITEM.fullmatch(item) for item in items]
    assert all(found), items
    return {each[1]: int(each[2]) for each in found if each}


def on_day(resources: list[str], day: int) -> Json:
    morning = f"2027-05-{day:02}T09:00:00Z"
    return new_booking(resources, start_time=morning, end_time=f"2027-05-{day:02}T10:00:00Z")


async def test_a_client_is_told_what_it_may_send_and_what_is_left(database: Database) -> None:
    async with limited(database, Allowance(0.02, 10), Allowance(0.01, 3)) as (nova, orion, _):
        answers = [await nova.get("/v1/resources") for _ in range(3)]
        assert {answer.headers["ratelimit-policy"] for answer in answers} == {
            '"tenant";q=10;w=500, "key";q=3;w=300'
        }
        assert [left(answer) for answer in answers] == [
            {"tenant": 9, "key": 2},
            {"tenant": 8, "key": 1},
            {"tenant": 7, "key": 0},
        ]
        refused = await nova.get("/v1/resources")
        problem = assert_problem(refused, 429, "rate-limited")
        assert problem["violated-policies"] == ["key"]
        assert left(refused) == {"tenant": 7, "key": 0}
        assert 90 <= int(refused.headers["retry-after"]) <= 100
        assert f"t={refused.headers['retry-after']}" in refused.headers["ratelimit"]
        # Another key of the same tenant has a bucket of its own, and shares the tenant's.
        assert left(await nova.as_role("viewer").get("/v1/resources")) == {"tenant": 6, "key": 2}
        assert left(await orion.get("/v1/resources")) == {"tenant": 9, "key": 2}


async def test_nothing_is_limited_before_it_is_known_who_asks(database: Database) -> None:
    async with limited(database, Allowance(0.01, 1), Allowance(0)) as (nova, _, _services):
        assert (await nova.get("/v1/resources")).status_code == 200
        for _ in range(3):
            stranger = await nova.with_key("bk_stranger").get("/v1/resources")
            assert_problem(stranger, 401, "unauthenticated")
            assert "ratelimit" not in stranger.headers
            assert (await nova.with_key(None).get("/livez")).status_code == 200
            assert (await nova.get("/metrics")).status_code == 200
            assert_problem(await nova.get("/v1/nowhere"), 429, "rate-limited")


async def test_a_refused_request_keeps_no_idempotency_key_and_does_nothing(
    database: Database,
) -> None:
    async with limited(database, Allowance(0.01, 2), Allowance(0)) as (nova, _, services):
        stage = await nova.resource()
        services.limiter._local._full_at.clear()
        for _ in range(2):
            assert (await nova.get("/v1/resources")).status_code == 200
        body = new_booking([stage])
        refused = await nova.post("/v1/bookings", body, Idempotency_Key="mine")
        assert_problem(refused, 429, "rate-limited")
        services.limiter._local._full_at.clear()
        done = await nova.post("/v1/bookings", body, Idempotency_Key="mine")
        assert done.status_code == 201
        assert "idempotent-replayed" not in done.headers


async def test_each_command_of_many_counts_and_the_request_is_done_all_the_same(
    database: Database,
) -> None:
    async with limited(database, Allowance(0.1, 10), Allowance(0)) as (nova, _, _services):
        stage = await nova.resource()  # 9 are left
        commands = [{**on_day([stage], day), "type": "book"} for day in range(1, 13)]
        answer = await nova.post("/v1/commands", {"commands": commands, "atomic": False})
        assert answer.json()["applied"] is True
        assert left(answer) == {"tenant": 0}
        refused = await nova.get("/v1/resources")
        assert_problem(refused, 429, "rate-limited")
        assert 30 < int(refused.headers["retry-after"]) <= 40  # three are owed, and one is wanted


async def test_without_limits_nothing_is_told_and_nobody_is_counted(
    studio: Studio, services: Services
) -> None:
    answer = await studio.get("/v1/resources")
    assert answer.status_code == 200
    assert "ratelimit" not in answer.headers
    assert "ratelimit-policy" not in answer.headers
    assert len(services.limiter._local) == 0


async def test_what_the_operator_says_of_one_tenant_counts_for_it_alone(
    database: Database,
) -> None:
    async with limited(database, Allowance(0.1, 50), Allowance(0)) as (nova, orion, _):
        with psycopg.connect(database.owner_dsn) as conn:
            keep_limit(conn, tenant_named(conn, "nova"), TenantLimit(burst=7))
            keep_limit(conn, tenant_named(conn, "orion"), NO_LIMIT)
        assert left(await nova.get("/v1/resources")) == {"tenant": 6}
        assert "ratelimit" not in (await orion.get("/v1/resources")).headers


async def test_refusals_share_a_line_and_are_counted(
    database: Database, log: list[EventDict]
) -> None:
    async with limited(database, Allowance(0.01, 1), Allowance(0)) as (nova, _, services):
        await nova.get("/v1/resources")
        log.clear()
        for _ in range(20):
            assert (await nova.get("/v1/resources")).status_code == 429
        (line,) = log
        assert (line["event"], line["requests"]) == ("limits.refused", 1)
        assert b"booking_rate_limited_total 20.0" in services.metrics.exposition()
        (tally,) = services.usage.take().values()
        assert (tally.refused, tally.queries) == (20, 1)


async def test_processes_share_what_stands_in_redis(database: Database, redis: RedisServer) -> None:
    allowances = Allowance(0.01, 4), Allowance(0)
    async with limited(database, *allowances, redis_url=redis.url) as (nova, _, _services):
        assert left(await nova.get("/v1/resources")) == {"tenant": 3}
        async with running_services(
            database.runtime_dsn,
            MASTER_KEY,
            connections=4,
            guards=Guards(limits=DefaultLimits(*allowances), redis_url=redis.url),
        ) as other:
            app = build_app()
            provide(app, other)
            elsewhere = Studio(app, nova.keys)
            assert left(await elsewhere.get("/v1/resources")) == {"tenant": 2}
            assert left(await nova.get("/v1/resources")) == {"tenant": 1}


async def test_no_booking_fails_because_redis_does(database: Database, redis: RedisServer) -> None:
    allowances = Allowance(100, 100), Allowance(0)
    async with limited(database, *allowances, redis_url=redis.url) as (nova, _, _services):
        stage = await nova.resource()
        redis.kill()
        try:
            for day in range(1, 8):
                answer = await nova.post(
                    "/v1/bookings",
                    on_day([stage], day),
                )
                assert answer.status_code == 201
                assert left(answer)["tenant"] < 100
        finally:
            redis.start()


@pytest.mark.parametrize("path", ["/v1/commands", "/v1/bookings"])
async def test_a_form_that_is_wrong_costs_a_request_and_no_more(
    database: Database, path: str
) -> None:
    async with limited(database, Allowance(0.01, 10), Allowance(0)) as (nova, _, _services):
        answer = await nova.post(path, {"commands": [{}] * 20, "atomic": False})
        assert_problem(answer, 422, "validation-failed")
        assert left(answer) == {"tenant": 9}
