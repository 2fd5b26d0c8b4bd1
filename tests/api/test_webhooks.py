"""What Clerk tells comes in by its signature alone; whatever else comes costs little, and is told
nothing.
"""

import secrets
from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient, Response
from structlog.typing import EventDict

from api.app import build_app
from api.bootstrap import UNSIGNED_BODY_BYTES, running_services
from api.issuers import Issuers
from api.routes.webhooks import NOBODY
from api.services import Services, provide
from domain.ids import TenantId
from infra.database import Database
from infra.identity import new_id
from infra.master_key import MasterKey
from tests.api.conftest import Studio, assert_problem, pointers
from tests.people.clerk import (
    OTHER_SECRET,
    SECRET,
    Json,
    deleted,
    encoded,
    event,
    membership,
    organisation,
    signed,
    user,
)

PATH = "/webhooks/clerk"
NOVA = organisation("org_nova", 1, name="Canary Studios", slug="nova")
ADA = event("user.created", 1, user("user_ada", 1, email="canary@example.org", first="Canary"))
PLACES = 4


@dataclass
class Clerk:
    """Sends webhooks to one process."""

    services: Services
    database: Database
    client: AsyncClient

    async def send(self, body: bytes, headers: dict[str, str]) -> Response:
        return await self.client.post(PATH, content=body, headers=headers)

    async def tell(
        self, told: Json, delivery_id: str = "msg_1", *, secret: str = SECRET
    ) -> Response:
        return await self.send(body := encoded(told), signed(body, delivery_id, secret=secret))

    def counted(self) -> dict[str, int]:
        lines = self.services.metrics.exposition().decode().splitlines()
        of_ours = [line for line in lines if line.startswith("booking_webhooks_total")]
        return {line.split('"')[1]: int(float(line.split()[-1])) for line in of_ours}

    def accounts(self) -> list[tuple[object, ...]]:
        with psycopg.connect(self.database.owner_dsn) as owner:
            return owner.execute("select subject, email, name from booking.account").fetchall()


@pytest.fixture
async def clerk(database: Database) -> AsyncIterator[Clerk]:
    async with running_services(
        database.runtime_dsn,
        MasterKey(secrets.token_bytes(32)),
        connections=6,
        requests_at_once=PLACES,
        issuers=Issuers(
            webhooks_of="https://clerk.example", webhook_secrets=(OTHER_SECRET, SECRET)
        ),
    ) as services:
        provide(app := build_app(), services)
        transport = ASGITransport(app)
        async with AsyncClient(transport=transport, base_url="http://booking.test") as client:
            yield Clerk(services, database, client)


async def test_what_is_signed_is_taken(clerk: Clerk) -> None:
    answer = await clerk.tell(ADA)

    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["x-request-id"]
    assert clerk.accounts() == [("user_ada", "canary@example.org", "Canary Lovelace")]
    assert clerk.counted() == {"recorded": 1}


async def test_each_of_several_secrets_counts(clerk: Clerk) -> None:
    assert (await clerk.tell(ADA, "msg_1", secret=SECRET)).status_code == 204
    assert (await clerk.tell(ADA, "msg_2", secret=OTHER_SECRET)).status_code == 204


async def test_what_comes_again_is_taken_and_does_nothing(clerk: Clerk) -> None:
    later = event("user.updated", 9, user("user_ada", 9, email=None, first="Other"))
    assert (await clerk.tell(ADA)).status_code == 204
    assert (await clerk.tell(later)).status_code == 204

    assert clerk.accounts() == [("user_ada", "canary@example.org", "Canary Lovelace")]
    assert clerk.counted() == {"recorded": 1, "repeated": 1}


async def test_what_tells_nothing_of_people_is_taken_and_counted(clerk: Clerk) -> None:
    assert (await clerk.tell(event("session.created", 1, {"id": "sess_1"}))).status_code == 204
    assert (await clerk.tell({"type": "anything"})).status_code == 204
    assert clerk.counted() == {"passed_over": 2}
    assert_problem(await clerk.tell({"no": "event"}), 422, "validation-failed")


async def test_every_kind_is_taken_and_no_line_of_the_log_names_anybody(
    clerk: Clerk, log: list[EventDict]
) -> None:
    member = membership(NOVA, "user_ada", 2, role="org:admin", identifier="canary@example.org")
    told = [
        ADA,
        event("organization.created", 1, NOVA),
        event("organizationMembership.created", 2, member),
        event("organizationMembership.updated", 3, member),
        event("user.updated", 4, user("user_ada", 4, email="canary@example.org", first="Canary")),
        event("organization.updated", 4, NOVA),
        event("organizationMembership.deleted", 5, member),
        event("user.deleted", 6, deleted("user_ada")),
        event("organization.deleted", 6, deleted("org_nova", slug="nova")),
        event("user.updated", 7, user("", 7, email="canary@example.org", first="Canary")),
        event("user.updated", 7, user("u", 7, email="canary" * 90, first="Canary")),
    ]
    answers = [await clerk.tell(each, f"msg_{number}") for number, each in enumerate(told)]
    forged = await clerk.send(encoded(ADA), signed(b"{}", "msg_x"))

    assert [answer.status_code for answer in answers] == [204] * 9 + [422] * 2
    assert forged.status_code == 401
    assert "canary" not in str([answer.text for answer in answers]).lower()
    assert "canary" not in str(log).lower()
    assert clerk.counted() == {"recorded": 9, "malformed": 2, "unsigned": 1}
    assert clerk.accounts() == [("user_ada", None, None)]
    [first, _] = [line for line in log if line["event"] == "people.malformed_webhook"]
    assert (first["delivery"], first["wrong"]) == ("msg_9", ["data.id"])


async def test_a_form_that_is_not_clerks_is_told(clerk: Clerk) -> None:
    answer = await clerk.tell(event("user.created", 1, {"id": "user_ada", "first_name": 7}))

    problem = assert_problem(answer, 422, "validation-failed")
    assert pointers(problem) == ["/data/first_name", "/data/updated_at"]
    assert clerk.accounts() == []


async def test_what_is_not_signed_learns_nothing_of_why(clerk: Clerk) -> None:
    body, now = encoded(ADA), datetime.now(UTC)
    for headers in (
        {},
        {"svix-id": "", "svix-timestamp": "", "svix-signature": ""},
        signed(body, "msg_1", secret=f"whsec_{'A' * 32}"),
        signed(body, "msg_1", when=now - timedelta(minutes=6)),
        signed(body, "msg_1", when=now + timedelta(minutes=20)),
        signed(body + b" ", "msg_1"),
        signed(body, "msg_1") | {"svix-id": "msg_2"},
        signed(body, "msg_1") | {"svix-signature": "v1,odd,odd odd"},
        {"authorization": "Bearer bk_whatever"},
    ):
        answer = await clerk.send(body, headers)

        problem = assert_problem(answer, 401, "unauthenticated")
        assert problem["detail"] == (
            "The signature is missing, does not fit, or is not of this time."
        )
        assert answer.headers["www-authenticate"] == 'Signature realm="booking"'
    assert clerk.accounts() == []


async def test_the_signature_comes_before_the_form(clerk: Clerk) -> None:
    forged = signed(b"{}", "msg_1")
    assert_problem(await clerk.send(b"\xff", forged), 401, "unauthenticated")
    for body in (b"", b"{", b'{"type": NaN}', b"[" * 30_000):
        assert_problem(await clerk.send(body, forged), 401, "unauthenticated")
        assert_problem(await clerk.send(body, signed(body, "msg_1")), 400, "malformed-request")


async def test_the_form_is_that_of_all_bodies(clerk: Clerk) -> None:
    body = encoded(ADA)
    text = signed(body, "msg_1") | {"content-type": "text/plain"}
    assert_problem(await clerk.send(body, text), 415, "unsupported-media-type")
    nul = encoded(event("user.created", 1, user("user_ada", 1, first="A\x00")))
    assert_problem(await clerk.send(nul, signed(nul, "msg_1")), 422, "validation-failed")
    large = b" " * 65_537
    assert_problem(await clerk.send(large, signed(large, "msg_1")), 413, "payload-too-large")


async def test_the_database_is_asked_only_about_what_is_signed(clerk: Clerk) -> None:
    assert clerk.services.webhooks is not None
    await clerk.services.webhooks._directory._pool.close()

    assert_problem(await clerk.send(encoded(ADA), signed(b"{}", "msg_1")), 401, "unauthenticated")
    assert_problem(await clerk.tell(ADA), 503, "overloaded")


async def test_where_there_is_no_room_clerk_is_asked_to_come_again(clerk: Clerk) -> None:
    with ExitStack() as stack:
        for _ in range(PLACES):
            stack.enter_context(clerk.services.admission.place(TenantId(new_id())))
        answer = await clerk.tell(ADA)
        forged = await clerk.send(encoded(ADA), signed(b"{}", "msg_1"))

    assert_problem(answer, 503, "overloaded")
    assert answer.headers["retry-after"]
    assert_problem(forged, 401, "unauthenticated")
    assert (await clerk.tell(ADA)).status_code == 204


async def test_bodies_of_strangers_have_a_bound_of_their_own(clerk: Clerk) -> None:
    large = user("user_ada", 1, email="canary@example.org") | {"public_metadata": "x" * 10_000}
    with clerk.services.unsigned_bodies.body(NOBODY) as grown_to:
        grown_to(UNSIGNED_BODY_BYTES * 3 // 4)
        assert_problem(await clerk.tell(event("user.created", 1, large)), 503, "overloaded")
        assert (await clerk.tell(ADA)).status_code == 204  # a small one always has room
    assert (await clerk.tell(event("user.updated", 2, large), "msg_2")).status_code == 204


async def test_without_a_secret_there_is_nothing_at_the_address(studio: Studio) -> None:
    answer = await studio.with_key(None).post(
        PATH, content=encoded(ADA), headers=signed(encoded(ADA), "msg_1")
    )

    assert_problem(answer, 404, "not-found")


async def test_only_posts_are_for_the_address(app: FastAPI) -> None:
    async with AsyncClient(transport=ASGITransport(app), base_url="http://booking.test") as client:
        answer = await client.get(PATH)

    assert_problem(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == "POST"
