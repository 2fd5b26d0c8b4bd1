"""Webhook endpoints and public links are made once under a key, however often that is asked."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import psycopg
import pytest
from cryptography.exceptions import InvalidTag
from httpx import Response
from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from pydantic import JsonValue

from api.services import Services
from domain.ids import TenantId
from infra.database import Database
from infra.engine import IdempotencyKey
from infra.postgres.pool import reading
from infra.webhooks.endpoints import MOST_ENDPOINTS, TooManyEndpoints, Wanted
from tests.api.conftest import Studio, assert_problem, new_booking, pointers

ENDPOINTS = "/v1/webhook-endpoints"
WANTED: dict[str, JsonValue] = {"url": "https://hooks.example/bookings"}
Paths = dict[str, str]


def rows(database: Database, query: str) -> list[TupleRow]:
    with psycopg.connect(database.owner_dsn) as owner:
        return owner.execute(query.encode()).fetchall()


def endpoints_in(database: Database) -> int:
    [(found,)] = rows(database, "select count(*) from booking.webhook_endpoint")
    return int(found)


@pytest.fixture
async def paths(studio: Studio) -> Paths:
    """Of an endpoint that was sent the first event, and of a resource that has a link."""
    stage = await studio.resource()
    endpoint = (await studio.post(ENDPOINTS, WANTED)).headers["location"]
    link = f"/v1/resources/{stage}/public-link"
    assert (await studio.post(link)).status_code == 200
    return {"endpoint": endpoint, "link": link}


# The method and path, a body, and another one; or another path where there is no body.
WRITES: list[tuple[str, str, JsonValue, JsonValue | str]] = [
    ("POST", ENDPOINTS, WANTED, WANTED | {"description": "Other"}),
    ("POST", "{endpoint}/rotate-secret", {"overlap_hours": 1}, {"overlap_hours": 2}),
    ("PATCH", "{endpoint}", {"enabled": False}, {"enabled": True}),
    ("POST", "{endpoint}/replay", {"after": 0, "until": 1}, {"after": 0, "until": 2}),
    ("POST", "{endpoint}/deliveries/1/replay", None, "{endpoint}/deliveries/2/replay"),
    ("DELETE", "{endpoint}", None, "{link}"),
    ("POST", "{link}", None, {}),
    ("DELETE", "{link}", None, "{endpoint}"),
]


@pytest.mark.parametrize(
    ("method", "path", "body", "other"), WRITES, ids=[f"{each[0]} {each[1]}" for each in WRITES]
)
async def test_a_write_is_done_once(
    studio: Studio, paths: Paths, method: str, path: str, body: JsonValue, other: JsonValue | str
) -> None:
    async def send(path: str, body: JsonValue, key: str = "k") -> Response:
        return await studio.client.request(
            method, path.format(**paths), json=body, headers={"Idempotency-Key": key}
        )

    first = await send(path, body)
    assert first.is_success, first.text
    assert "idempotent-replayed" not in first.headers
    again = await send(path, body, '"k"')
    assert again.headers.pop("idempotent-replayed") == "true"
    assert (again.status_code, again.content) == (first.status_code, first.content)
    for name in ("location", "content-type", "content-length"):
        assert again.headers.get(name) == first.headers.get(name)

    another = await (send(other, None) if isinstance(other, str) else send(path, other))
    problem = assert_problem(another, 422, "idempotency-key-reused")
    assert pointers(problem) == ["/header/Idempotency-Key"]
    assert_problem(await send(path, body, "k" * 256), 422, "validation-failed")


async def test_what_was_answered_is_answered_whatever_has_happened_since(
    studio: Studio, database: Database
) -> None:
    first = await studio.post(ENDPOINTS, WANTED, Idempotency_Key="k")
    assert (await studio.client.delete(first.headers["location"])).status_code == 204
    again = await studio.post(ENDPOINTS, WANTED, Idempotency_Key="k")
    assert again.content == first.content
    assert endpoints_in(database) == 0


@asynccontextmanager
async def held_up(
    database: Database, lock: str = "lock table booking.webhook_endpoint in exclusive mode"
) -> AsyncIterator[Callable[[int], Awaitable[None]]]:
    """Somebody has a lock; gives what waits until so many are held up."""
    waiting = """
        select count(*)
          from pg_locks
          join pg_stat_activity using (pid)
         where datname = current_database() and not granted
    """

    async def held(number: int) -> None:
        async with asyncio.timeout(4):
            while await asyncio.to_thread(rows, database, waiting) != [(number,)]:  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async with await psycopg.AsyncConnection.connect(database.owner_dsn) as owner:
        await owner.execute(lock.encode())
        yield held


async def test_one_key_sent_by_many_at_once_makes_one(studio: Studio, database: Database) -> None:
    async with asyncio.TaskGroup() as group, held_up(database) as held:
        asked = [
            group.create_task(studio.post(ENDPOINTS, WANTED, Idempotency_Key="k")) for _ in range(4)
        ]
        await held(4)
    answers = [each.result() for each in asked]
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert sum("idempotent-replayed" not in answer.headers for answer in answers) == 1
    assert endpoints_in(database) == 1


async def test_a_command_that_took_the_key_meanwhile_keeps_it(
    studio: Studio, database: Database
) -> None:
    body = new_booking([await studio.resource()])
    async with asyncio.TaskGroup() as group, held_up(database) as held:
        asked = group.create_task(studio.post(ENDPOINTS, WANTED, Idempotency_Key="k"))
        await held(1)
        booked = await studio.post("/v1/bookings", body, Idempotency_Key="k")
    assert booked.status_code == 201
    assert_problem(asked.result(), 422, "idempotency-key-reused")
    assert endpoints_in(database) == 0
    again = await studio.post("/v1/bookings", body, Idempotency_Key="k")
    assert again.headers["idempotent-replayed"] == "true"


async def test_a_key_is_not_taken_while_commands_are_decided(
    studio: Studio, database: Database
) -> None:
    deciding = "select from booking.tenant_head for update"
    async with asyncio.TaskGroup() as group, held_up(database, deciding) as held:
        asked = group.create_task(studio.post(ENDPOINTS, WANTED, Idempotency_Key="k"))
        await held(1)
        assert rows(database, "select from booking.receipt") == []
    assert asked.result().status_code == 201


async def test_a_write_whose_commit_was_not_heard_of_is_sent_again_under_its_key(
    studio: Studio, database: Database
) -> None:
    dies = """
        create function booking.dies() returns trigger language plpgsql as
            $$ begin raise exception using errcode = 'admin_shutdown'; end $$;
        create constraint trigger dies after insert on booking.webhook_endpoint
            deferrable initially deferred for each row execute function booking.dies()
    """
    with psycopg.connect(database.owner_dsn, autocommit=True) as owner:
        owner.execute(dies.encode())
        lost = await studio.post(ENDPOINTS, WANTED, Idempotency_Key="k")
        assert_problem(lost, 503, "outcome-unknown")
        owner.execute("drop trigger dies on booking.webhook_endpoint")
    again = await studio.post(ENDPOINTS, WANTED, Idempotency_Key="k")
    assert again.status_code == 201
    assert endpoints_in(database) == 1


async def test_a_key_is_one_requests_whatever_that_does(
    studio: Studio, other_studio: Studio
) -> None:
    body = new_booking([await studio.resource()])
    assert (await studio.post(ENDPOINTS, WANTED, Idempotency_Key="k")).status_code == 201
    refused = await studio.post("/v1/bookings", body, Idempotency_Key="k")
    assert_problem(refused, 422, "idempotency-key-reused")
    theirs = await other_studio.post(ENDPOINTS, WANTED, Idempotency_Key="k")
    assert theirs.status_code == 201
    assert "idempotent-replayed" not in theirs.headers


async def test_the_secret_in_an_answer_is_kept_sealed(
    studio: Studio, services: Services, database: Database
) -> None:
    made = await studio.post(ENDPOINTS, WANTED, Idempotency_Key="k")
    [(kept,)] = rows(database, "select outcome::text from booking.receipt")
    assert "sealed_body" in kept
    for told in (
        made.json()["secret"],
        "whsec_",
        "hooks.example",
        b64encode(made.content).decode(),
    ):
        assert told not in kept

    moved = "update booking.receipt set key = 'other' returning tenant_id, fingerprint"
    [(tenant_id, fingerprint)] = rows(database, moved)
    async with reading(services.pool, tenant_id) as conn:
        with pytest.raises(InvalidTag):
            await services.kept_answers.find(conn, tenant_id, IdempotencyKey("other", fingerprint))


async def test_a_decided_refusal_is_kept_and_no_other(studio: Studio) -> None:
    made = [await studio.post(ENDPOINTS, WANTED) for _ in range(MOST_ENDPOINTS)]
    first = await studio.post(ENDPOINTS, WANTED, Idempotency_Key="k")
    assert_problem(first, 409, "too-many-webhook-endpoints")
    path = made[0].headers["location"]
    assert (await studio.client.delete(path)).status_code == 204
    again = await studio.post(ENDPOINTS, WANTED, Idempotency_Key="k")
    assert again.content == first.content
    assert again.headers["content-type"] == "application/problem+json"
    assert again.headers["idempotent-replayed"] == "true"

    missing = await studio.patch(path, {"enabled": False}, Idempotency_Key="unused")
    assert_problem(missing, 404, "not-found")
    anew = await studio.post(ENDPOINTS, WANTED, Idempotency_Key="unused")
    assert anew.status_code == 201


async def test_of_what_is_refused_late_nothing_stays_but_the_answer(
    studio: Studio, services: Services, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = services.webhook_endpoints.make

    async def refused_late(
        conn: AsyncConnection[TupleRow], tenant_id: TenantId, wanted: Wanted, after: int | None
    ) -> None:
        await make(conn, tenant_id, wanted, after)
        raise TooManyEndpoints

    monkeypatch.setattr(services.webhook_endpoints, "make", refused_late)
    first = await studio.post(ENDPOINTS, WANTED, Idempotency_Key="k")
    assert_problem(first, 409, "too-many-webhook-endpoints")
    again = await studio.post(ENDPOINTS, WANTED, Idempotency_Key="k")
    assert again.content == first.content
    assert endpoints_in(database) == 0


async def test_an_expired_key_is_a_new_request(studio: Studio, database: Database) -> None:
    first = await studio.post(ENDPOINTS, WANTED, Idempotency_Key="k")
    with psycopg.connect(database.owner_dsn) as owner:
        owner.execute("update booking.receipt set recorded_at = now() - interval '24 hours 1 s'")
    second = await studio.post(ENDPOINTS, WANTED, Idempotency_Key="k")
    assert second.status_code == 201
    assert second.json()["id"] != first.json()["id"]
    again = await studio.post(ENDPOINTS, WANTED, Idempotency_Key="k")
    assert again.content == second.content
