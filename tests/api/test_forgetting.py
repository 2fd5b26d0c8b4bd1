"""A person is forgotten: gone wherever they could be found, while all else stays as it was."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import cast
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from api.app import build_app
from api.bootstrap import running_services
from api.services import Services, provide
from domain.customer import Customer, SealedCustomer
from domain.ids import TenantId
from infra.customer_vault import CustomerVault
from infra.database import Database
from infra.forgotten_keys import CHANNEL
from infra.master_key import MasterKey
from infra.projecting import ProjectionRunner
from infra.wrapped_secrets import open_secrets
from tests.api.conftest import DAY, Json, Studio, assert_problem, new_booking
from tests.whole_log import proven_log

ADA: Json = {"id": "canary-id-71", "name": "Canary Lovelace", "email": "canary@ada.example"}
BOB: Json = {"id": "bob-1", "name": "Bob"}
TRACES = ("canary", "lovelace")
WINDOW = f"from={DAY}T00:00:00Z&to={DAY}T23:00:00Z"


@pytest.fixture
def master_key() -> MasterKey:
    return MasterKey(secrets.token_bytes(32))


@pytest.fixture
async def two_processes(
    database: Database, master_key: MasterKey
) -> AsyncIterator[tuple[Services, Services]]:
    """Two of the API, with one master key."""
    async with AsyncExitStack() as stack:
        one, other = [
            await stack.enter_async_context(
                running_services(database.runtime_dsn, master_key, connections=4)
            )
            for _ in range(2)
        ]
        yield one, other


@pytest.fixture
def services(two_processes: tuple[Services, Services]) -> Services:
    return two_processes[0]


@pytest.fixture
def elsewhere(two_processes: tuple[Services, Services], studio: Studio) -> Studio:
    """The same studio, asking the other process."""
    app = build_app()
    provide(app, two_processes[1])
    return Studio(app, studio.keys)


def tenant_of(database: Database) -> TenantId:
    with psycopg.connect(database.owner_dsn) as owner:
        row = owner.execute("select tenant_id from booking.tenant where slug = 'nova'").fetchone()
    assert row is not None
    return TenantId(row[0])


async def key_id_of(studio: Studio, booking: Json) -> str:
    history = (await studio.get(f"/v1/bookings/{booking['id']}/history")).json()["items"]
    return cast("str", history[0]["data"]["customer"]["key_id"])


async def booked_for(studio: Studio, stage: str, hour: int, customer: Json) -> Json:
    period = {"start_time": f"{DAY}T{hour:02}:00:00Z", "end_time": f"{DAY}T{hour + 1:02}:00:00Z"}
    return await studio.booking(stage, customer=customer, **period)


async def customer_seen(studio: Studio, booking: Json) -> object:
    return (await studio.get(f"/v1/bookings/{booking['id']}")).json()["customer"]


def everything_kept(database: Database) -> dict[str, str]:
    """Each table whole, bytes also as what they may spell."""
    kept = {}
    with psycopg.connect(database.owner_dsn) as owner:
        tables = owner.execute("select tablename from pg_tables where schemaname = 'booking'")
        for (table,) in tables.fetchall():
            rows = owner.execute(SQL("select * from booking.{}").format(Identifier(table)))
            kept[str(table)] = "\n".join(
                " ".join(
                    bytes(value).decode("latin-1") if isinstance(value, bytes) else str(value)
                    for value in row
                )
                for row in rows
            ).lower()
    return kept


async def public_paths(studio: Studio, stage: str) -> list[str]:
    """What anybody may read of a resource."""
    link = (await studio.post(f"/v1/resources/{stage}/public-link")).json()
    return [link["data_path"], link["page_path"]]


async def all_reads(studio: Studio, booking: Json, stage: str) -> dict[str, str]:
    """What each route that reads says."""
    paths = (
        f"/v1/bookings/{booking['id']}",
        f"/v1/bookings/{booking['id']}/history",
        "/v1/bookings",
        "/v1/bookings?q=Lovelace",
        f"/v1/bookings/{booking['id']}?as_of=3",
        "/v1/bookings?as_of=3",
        "/v1/bookings?as_of=3&q=Lovelace",
        f"/v1/resources/{stage}/calendar?{WINDOW}",
        f"/v1/resources/{stage}/calendar?{WINDOW}&as_of=3",
        f"/v1/availability?resource_id={stage}&{WINDOW}",
        "/v1/resources",
        f"/v1/resources/{stage}",
        f"/v1/resources/{stage}/public-link",
        *(await public_paths(studio, stage)),
        "/v1/events",
        "/v1/events/stream?after=0&seconds=0",
        "/v1/audit-trail",
        f"/v1/usage?from={DAY}&to=2027-03-02",
        f"/v1/utilisation?resource_id={stage}&from=2027-01-01&to=2028-01-01",
        "/metrics",
    )
    asked = {"url": "https://hooks.example", "after": 0}
    made = (await studio.post("/v1/webhook-endpoints", asked)).json()["id"]
    webhooks = f"/v1/webhook-endpoints/{made}"
    answers = {
        path: await studio.get(path) for path in (*paths, webhooks, f"{webhooks}/deliveries")
    }
    assert {answer.status_code for answer in answers.values()} == {200}, answers
    return {path: answer.text for path, answer in answers.items()}


async def test_nothing_that_is_kept_or_answered_tells_of_who_was_forgotten(
    studio: Studio, database: Database, projector: ProjectionRunner
) -> None:
    stage = await studio.resource()
    asked = new_booking([stage], customer=ADA)
    booking = (await studio.post("/v1/bookings", asked, Idempotency_Key="k")).json()
    await studio.patch(f"/v1/bookings/{booking['id']}", {"customer": {**ADA, "phone": "1"}})
    other = await booked_for(studio, stage, 12, BOB)
    await projector.catch_up()
    key_id, tenant_id = await key_id_of(studio, booking), tenant_of(database)
    before = proven_log(database.owner_dsn, tenant_id)
    told = (await all_reads(studio, booking, stage)).items()
    assert {path for path, text in told if "canary" in text.lower()} == {
        f"/v1/bookings/{booking['id']}",
        f"/v1/bookings/{booking['id']}?as_of=3",
        "/v1/bookings",
        "/v1/bookings?as_of=3",
    }

    forgotten = await studio.post(f"/v1/customers/{key_id}/forget", {"reason": "Ticket 4711"})

    assert forgotten.status_code == 200, forgotten.text
    assert forgotten.json()["id"] == key_id
    await projector.catch_up()
    after = proven_log(database.owner_dsn, tenant_id)  # its chain holds
    assert after[:-1] == before
    assert (after[-1].topic, str(after[-1].stream_id)) == ("customer.forgotten", key_id)
    assert forgotten.json()["position"] == after[-1].seq
    with psycopg.connect(database.owner_dsn) as owner:
        keys = owner.execute("select key_id from booking.customer_key").fetchall()
        behind = owner.execute(
            "select projection from booking.projection_checkpoint where seq < %s", [after[-1].seq]
        ).fetchall()
    assert behind == []
    assert keys == [(UUID(await key_id_of(studio, other)),)]
    # This names the person again, and books nothing.
    again = await studio.post("/v1/bookings", asked, Idempotency_Key="k")
    assert (again.status_code, again.headers["idempotent-replayed"]) == (201, "true")
    assert again.json() == {**booking, "customer": None}
    assert keys_kept(database) == {key for (key,) in keys}
    for place, text in [
        *everything_kept(database).items(),
        *(await all_reads(studio, booking, stage)).items(),
        ("the first answer again", again.text),
    ]:
        assert not any(trace in text.lower() for trace in TRACES), place
    assert await customer_seen(studio, booking) is None
    assert await customer_seen(studio, other) == BOB


async def test_what_a_forgotten_customer_booked_can_still_be_changed_and_they_begin_anew(
    studio: Studio,
) -> None:
    stage = await studio.resource()
    booking = await booked_for(studio, stage, 9, ADA)
    key_id = await key_id_of(studio, booking)
    await studio.post(f"/v1/customers/{key_id}/forget")
    path = f"/v1/bookings/{booking['id']}"

    amended = await studio.patch(path, {"title": "Other"})
    moved = await studio.post(f"{path}/reschedule", {"end_time": f"{DAY}T10:30:00Z"})
    cancelled = await studio.post(f"{path}/cancel")
    for answer in (amended, moved, cancelled):
        assert (answer.status_code, answer.json()["customer"]) == (200, None)

    anew = await booked_for(studio, stage, 12, ADA)
    assert anew["customer"] == ADA
    assert await customer_seen(studio, anew) == ADA
    assert await customer_seen(studio, booking) is None
    assert await key_id_of(studio, anew) != key_id


async def test_forgetting_twice_is_answered_alike_and_written_once(
    studio: Studio, database: Database
) -> None:
    stage = await studio.resource()
    key_id = await key_id_of(studio, await booked_for(studio, stage, 9, ADA))
    other = await key_id_of(studio, await booked_for(studio, stage, 11, BOB))
    path = f"/v1/customers/{key_id}/forget"

    answers = list(
        await asyncio.gather(
            *(studio.post(path, Idempotency_Key=f"k-{n}") for n in range(3)), studio.post(path)
        )
    )
    answers += [await studio.post(path), await studio.post(path, Idempotency_Key="late")]
    again = [await studio.post(path, Idempotency_Key=key) for key in ("k-0", "late")]

    assert {(answer.status_code, answer.text) for answer in [*answers, *again]} == {
        (200, answers[0].text)
    }
    assert [answer.headers.get("idempotent-replayed") for answer in again] == ["true", "true"]
    topics = [event.topic for event in proven_log(database.owner_dsn, tenant_of(database))]
    assert topics.count("customer.forgotten") == 1
    reused = await studio.post(f"/v1/customers/{other}/forget", Idempotency_Key="k-0")
    assert_problem(reused, 422, "idempotency-key-reused")
    assert_problem(await studio.post(f"/v1/customers/{uuid4()}/forget"), 404, "not-found")


async def test_every_process_hears_of_it_and_one_that_does_not_seals_nothing_with_a_lost_key(
    studio: Studio, elsewhere: Studio, two_processes: tuple[Services, Services]
) -> None:
    stage = await studio.resource()
    booking = await booked_for(studio, stage, 9, ADA)
    key_id = await key_id_of(studio, booking)
    assert await customer_seen(elsewhere, booking) == ADA  # so that it remembers the key
    deaf = two_processes[1].vault.discard
    heard = asyncio.Event()

    def hear(tenant_id: TenantId, key: UUID) -> None:
        deaf(tenant_id, key)
        heard.set()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(two_processes[1].vault, "discard", hear)
        await studio.post(f"/v1/customers/{key_id}/forget")
        async with asyncio.timeout(5):
            await heard.wait()
    assert await customer_seen(elsewhere, booking) is None

    second = await booked_for(elsewhere, stage, 11, ADA)  # remembers the key, and whose it is
    second_key = await key_id_of(studio, second)
    assert await customer_seen(elsewhere, second) == ADA
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("infra.forgotten_keys.CHANNEL", f"not_{CHANNEL}")
        await studio.post(f"/v1/customers/{second_key}/forget")
    third = await booked_for(elsewhere, stage, 13, ADA)
    assert third["customer"] == await customer_seen(studio, third) == ADA
    assert await key_id_of(studio, third) not in (key_id, second_key)
    assert await customer_seen(elsewhere, second) is None


async def test_who_hears_of_nothing_remembers_a_key_for_a_minute(
    studio: Studio, services: Services, database: Database, master_key: MasterKey
) -> None:
    booking = await booked_for(studio, await studio.resource(), 9, BOB)
    history = (await studio.get(f"/v1/bookings/{booking['id']}/history")).json()["items"]
    told = history[0]["data"]["customer"]
    sealed = SealedCustomer(UUID(told["key_id"]), told["sealed"])
    tenant_id, booking_id = tenant_of(database), UUID(str(booking["id"]))
    now = 0.0
    kept = open_secrets(database.runtime_dsn, master_key)
    vault = CustomerVault(services.pool, master_key, kept, lambda: now)
    bob = Customer("bob-1", "Bob")
    assert await vault.open(tenant_id, sealed, booking_id, 1) == bob
    assert (await studio.post(f"/v1/customers/{sealed.key_id}/forget")).status_code == 200

    now = 59.0
    assert await vault.open(tenant_id, sealed, booking_id, 1) == bob
    now = 61.0
    assert await vault.open(tenant_id, sealed, booking_id, 1) is None


def keys_kept(database: Database) -> set[UUID]:
    with psycopg.connect(database.owner_dsn) as owner:
        return {key for (key,) in owner.execute("select key_id from booking.customer_key")}


async def test_who_is_named_and_books_nothing_leaves_no_key(
    studio: Studio, database: Database
) -> None:
    stage = await studio.resource()
    bob = await booked_for(studio, stage, 9, BOB)
    path = f"/v1/bookings/{bob['id']}"
    kept = keys_kept(database)
    asked = new_booking([stage], customer=ADA, start_time=f"{DAY}T09:00:00Z")
    for_ada = {"customer": ADA}

    refusals = [
        await studio.post("/v1/bookings", asked),
        await studio.post("/v1/bookings", asked, Idempotency_Key="k"),
        await studio.post("/v1/bookings", asked, Idempotency_Key="k"),
        await studio.post("/v1/bookings", {**asked, "resource_ids": [str(uuid4())]}),
        await studio.patch(path, for_ada, If_Match='"7"'),
        await studio.patch(f"/v1/bookings/{uuid4()}", for_ada),
    ]

    assert [each.status_code for each in refusals] == [409, 409, 409, 422, 412, 404]
    assert keys_kept(database) == kept
    # What was remembered of them meanwhile is kept with the first event that it seals.
    assert (await studio.patch(path, for_ada)).json()["customer"] == ADA
    ada = await booked_for(studio, stage, 12, ADA)
    assert keys_kept(database) == {*kept, UUID(await key_id_of(studio, ada))}
    assert await customer_seen(studio, bob) == await customer_seen(studio, ada) == ADA


async def test_a_person_whom_many_name_first_has_one_key(
    studio: Studio, elsewhere: Studio, database: Database
) -> None:
    stages = [await studio.resource(f"Stage {nth}") for nth in range(8)]

    bookings = await asyncio.gather(
        *(
            booked_for(where, stage, 9, ADA)
            for nth, stage in enumerate(stages)
            for where in ((studio, elsewhere)[nth % 2],)
        )
    )

    [key_id] = keys_kept(database)
    for booking in bookings:
        assert await key_id_of(studio, booking) == str(key_id)
        assert await customer_seen(studio, booking) == ADA
        assert await customer_seen(elsewhere, booking) == ADA
