"""What operators ask, and what they are told without asking."""

import asyncio
from typing import cast

import psycopg
import pytest
from structlog.typing import EventDict

from api.draining import Draining
from api.readiness import Readiness
from api.schemas.health import LivenessBody, ReadinessBody
from api.services import Services
from infra.database import Database
from infra.postgres.migrator import migrate
from infra.postgres.schema import FunctionFile, Schema, read_schema
from tests.api.conftest import Json, Studio, assert_problem


async def test_health_is_open_to_all(studio: Studio) -> None:
    nobody = studio.with_key(None)
    alive, ready = await nobody.get("/livez"), await nobody.get("/readyz?probe=1")
    assert alive.status_code == ready.status_code == 200
    LivenessBody.model_validate(alive.json())
    ReadinessBody.model_validate(ready.json())
    assert ready.json()["checks"] == {"database": "ok", "migrations": "ok", "commit_queue": "ok"}


async def test_the_documents_are_open_to_all(studio: Studio) -> None:
    nobody = studio.with_key(None)
    assert (await nobody.get("/openapi.json")).json()["openapi"].startswith("3.1")
    assert "swagger" in (await nobody.get("/docs")).text


async def test_pending_migrations_make_it_not_ready(studio: Studio, database: Database) -> None:
    with psycopg.connect(database.owner_dsn) as conn:
        conn.execute("delete from booking.migration where version = 1")
    answer = await studio.with_key(None).get("/readyz")
    checks = cast("Json", assert_problem(answer, 503, "not-ready")["checks"])
    assert checks["migrations"] == "1 pending: run booking migrate"
    assert answer.headers["retry-after"]


@pytest.mark.parametrize(
    ("there", "says"),
    [
        (None, "1 pending: run booking migrate"),
        (1, "1 pending: run booking migrate"),
        (2, "ok"),
        (3, "ok"),
    ],
)
async def test_an_older_function_file_makes_it_not_ready_and_a_newer_one_does_not(
    services: Services, database: Database, there: int | None, says: str
) -> None:
    def schema(revision: int) -> Schema:
        file = FunctionFile("functions/studio.sql", revision, f"text {revision}", b"select 1")
        return Schema(read_schema().migrations, (file,))

    if there is None:
        with psycopg.connect(database.owner_dsn) as conn:
            conn.execute("drop table if exists booking.function_file")
    else:
        migrate(database.owner_dsn, schema(there))
    checks = await Readiness(services.pool, lambda: 0.0, schema(2), Draining()).check()
    assert checks["migrations"] == says


async def test_a_database_that_does_not_answer_makes_it_not_ready_in_time(
    services: Services, database: Database
) -> None:
    readiness = Readiness(services.pool, lambda: 0.0, read_schema(), Draining())
    with psycopg.connect(database.owner_dsn) as conn:
        conn.execute("lock table booking.migration in access exclusive mode")
        async with asyncio.timeout(1.5):
            checks = await readiness.check()
    assert checks["database"] == "no answer within 1 s"
    assert checks["migrations"] == "not known"
    async with asyncio.timeout(5):
        while (await readiness.check())["database"] != "ok":
            pass


async def test_a_queue_that_is_stuck_makes_it_not_ready(services: Services) -> None:
    checks = await Readiness(services.pool, lambda: 60.0, read_schema(), Draining()).check()
    assert checks["commit_queue"] == "nothing was committed for 60 s"


async def test_without_a_database_requests_are_told_to_come_again(
    studio: Studio, services: Services
) -> None:
    await studio.resource()
    await services.pool.close()
    answers = [
        await studio.get("/v1/resources"),
        await studio.get("/v1/events"),
        await studio.with_key("bk_other").get("/v1/resources"),
    ]
    for answer in answers:
        assert_problem(answer, 503, "overloaded")
        assert answer.headers["retry-after"] == "1"
    assert_problem(await studio.with_key(None).get("/readyz"), 503, "not-ready")


async def test_metrics_tell_of_requests_by_route(studio: Studio) -> None:
    stage = await studio.resource()
    await studio.get(f"/v1/resources/{stage}")
    await studio.get("/v1/nowhere")
    answer = await studio.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    count = 'booking_http_request_seconds_count{method="%s",route="%s",status="%s"} 1.0'
    for expected in (
        ("POST", "/v1/resources", "201"),
        ("GET", "/v1/resources/{resource_id}", "200"),
        ("GET", "(no route)", "404"),
    ):
        assert count % expected in answer.text
    assert stage not in answer.text


async def test_metrics_tell_what_the_process_takes_of_the_machine(studio: Studio) -> None:
    lines = (await studio.get("/metrics")).text.splitlines()
    figures = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    for name in ("resident_memory_bytes", "cpu_seconds_total", "open_fds"):
        assert float(figures[f"process_{name}"]) > 0


async def test_each_request_is_one_line_in_the_log(studio: Studio, log: list[EventDict]) -> None:
    await studio.get("/v1/resources?kind=secret", X_Request_Id="mine")
    (line,) = log
    assert line["event"] == "api.request"
    assert line["request_id"] == "mine"
    assert (line["method"], line["path"], line["status"]) == ("GET", "/v1/resources", 200)
    assert line["route"] == "/v1/resources"
    assert line["tenant"]
    assert line["actor"].startswith("key:")
    assert "secret" not in str(line)
    assert studio.keys["admin"] not in str(line)
