"""Endpoints by API: who may, what is refused, and what the metrics tell of them all."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import pytest
from aiohttp import web

from api.schemas.webhook_endpoint_bodies import (
    WebhookDeliveriesBody,
    WebhookDeliveryWithTriesBody,
    WebhookEndpointBody,
    WebhookEndpointsBody,
    WebhookEndpointWithSecretBody,
)
from api.services import Services
from domain.ids import TenantId
from infra.database import Database
from infra.watching import Watch
from infra.webhooks.endpoints import MOST_ENDPOINTS, MOST_SECRETS
from infra.webhooks.figures import read_figures
from infra.webhooks.health import FAILURES, PAUSE_SECONDS, Failed, Health, delivered
from infra.webhooks.line import Line
from infra.webhooks.places import Places
from infra.webhooks.posting import Posted
from infra.webhooks.retrying import STEPS, seconds_until_next
from tests.api.conftest import Studio, assert_problem, pointers
from tests.webhooks.conftest import Senders, hook, once, rows
from tests.webhooks.receiver import Received, Receiver

URL = "http://hooks.example/bookings"
TENANTS = [TenantId(UUID(int=n)) for n in range(2)]
ENDPOINTS = [UUID(int=n) for n in range(4)]


async def test_an_endpoint_is_made_listed_changed_and_deleted(studio: Studio) -> None:
    asked = {"url": URL, "topics": ["booking.confirmed"], "description": "Crew"}
    made = await studio.post("/v1/webhook-endpoints", asked)
    assert made.status_code == 201, made.text
    WebhookEndpointWithSecretBody.model_validate(made.json())
    path = made.headers["location"]
    [listed] = WebhookEndpointsBody.model_validate(
        (await studio.get("/v1/webhook-endpoints")).json()
    ).items
    assert (listed.url, listed.topics, listed.description) == (URL, ["booking.confirmed"], "Crew")

    changed = await studio.patch(path, {"topics": None, "enabled": False})
    told = WebhookEndpointBody.model_validate(changed.json())
    assert (told.topics, told.enabled, told.disabled_reason) == (None, False, "requested")
    assert (told.url, told.description) == (URL, "Crew")

    assert (await studio.client.delete(path)).status_code == 204
    assert_problem(await studio.client.delete(path), 404, "not-found")


NO_ENDPOINTS: list[tuple[dict[str, Any], str]] = [
    ({}, "/url"),
    ({"url": "ftp://hooks.example"}, "/url"),
    ({"url": URL, "topics": []}, "/topics"),
    ({"url": URL, "topics": ["booking.sold"]}, "/topics/0"),
    ({"url": URL, "topics": ["booking.booked", "booking.booked"]}, "/topics"),
    ({"url": URL, "after": -1}, "/after"),
    ({"url": URL, "after": True}, "/after"),
    ({"url": URL, "description": "x" * 501}, "/description"),
    ({"url": URL, "secret": "whsec_x"}, "/secret"),
]


async def test_what_is_no_endpoint_is_refused(studio: Studio) -> None:
    for body, pointer in NO_ENDPOINTS:
        refused = await studio.post("/v1/webhook-endpoints", body)
        assert pointers(assert_problem(refused, 422, "validation-failed")) == [pointer], body


async def test_a_tenant_has_so_many_and_no_more(studio: Studio, other_studio: Studio) -> None:
    for _ in range(MOST_ENDPOINTS):
        await hook(studio, URL)
    refused = await studio.post("/v1/webhook-endpoints", {"url": URL})
    assert_problem(refused, 409, "too-many-webhook-endpoints")
    await hook(other_studio, URL)


async def test_of_secrets_in_force_there_are_so_many_and_no_more(
    studio: Studio, database: Database
) -> None:
    made = await hook(studio, URL)
    for _ in range(MOST_SECRETS + 1):
        assert (await studio.post(f"{made.path}/rotate-secret")).status_code == 200
    assert rows(database, "select count(*) from booking.webhook_secret") == [(MOST_SECRETS,)]


async def test_deliveries_are_as_declared(
    studio: Studio, receiver: Receiver, sending: Senders
) -> None:
    made = await hook(studio, receiver.url)
    receiver.answers(500)
    await studio.resource()
    async with sending():
        await once(lambda: made.delivery(1), lambda told: told["last_status"] == 500)
    WebhookDeliveryWithTriesBody.model_validate(await made.delivery(1))
    page = (await studio.get(f"{made.path}/deliveries")).json()
    [told] = WebhookDeliveriesBody.model_validate(page).items
    assert (told.type, told.state, told.last_error) == ("resource.registered", "waiting", "status")


async def test_the_metrics_tell_outcomes_disabled_endpoints_and_lag(
    studio: Studio, receiver: Receiver, sending: Senders, services: Services
) -> None:
    good, bad = await hook(studio, receiver.url), await hook(studio, f"{receiver.url}/bad")
    slow = await hook(studio, "http://127.0.0.1:1/")
    assert slow.id

    async def answer(message: Received) -> web.Response:
        return web.Response(status=410 if message.path.endswith("bad") else 204)

    receiver.answer = answer
    await studio.resource()
    async with sending() as sender:
        await good.delivered(1)
        await bad.once(lambda told: not told["enabled"])
        await slow.once(lambda told: told["failing_since"] is not None)
        await sender._look_at_all()
    watch = Watch[Mapping[str, float]](services.pool, read_figures, {})
    await watch.look()
    figures = watch.known()
    assert {name: figures[name] for name in ("delivered", "disabled", "lag_events")} == {
        "delivered": 1, "disabled": 1, "lag_events": 1,
    }  # fmt: skip
    assert figures["failed"] >= 2
    assert figures["lag_seconds"] > 0
    told = (await studio.get("/metrics")).text
    assert 'booking_webhook_attempts_total{outcome="delivered"}' in told


def test_pauses_grow_to_days_and_come_by_chance() -> None:
    for failures, longest in enumerate(STEPS):
        pauses = {seconds_until_next(failures, None) for _ in range(5)}
        assert len(pauses) > 1
        assert all(pause is not None and 0 <= pause <= longest for pause in pauses)
    assert seconds_until_next(len(STEPS), None) is None
    assert sum(STEPS) > 3 * 86_400
    assert (seconds_until_next(0, 600) or 0) >= 600
    assert (seconds_until_next(0, 10**9) or 0) <= 86_400 + STEPS[0]


def test_places_are_bounded_for_an_endpoint_a_tenant_and_in_all() -> None:
    places = Places(in_all=10, of_a_tenant=6, of_an_endpoint=4)
    one, sister, other, third = (
        Line(TENANTS[tenant], ENDPOINTS[endpoint])
        for tenant, endpoint in ((0, 0), (0, 1), (1, 2), (1, 3))
    )
    assert places.take(one, 8) == 4
    assert places.take(one, 8) == 0
    assert places.take(sister, 8) == 2
    assert places.take(other, 1) == 1
    assert places.take(other, 1) == 0
    assert places.take(third, 8) == 3
    places.give_back(one, 4)
    assert (places.taken_by(one), places.take(sister, 8)) == (0, 2)


def test_an_endpoint_is_trusted_with_more_once_it_answers_and_left_alone_if_it_does_not() -> None:
    now = 0.0
    health = Health(clock=lambda: now)
    assert health.at_most == 1
    with health.guard():
        delivered(Posted(204, None, 1))
    assert health.at_most == 8
    for _ in range(FAILURES):
        with pytest.raises(Failed), health.guard():
            delivered(Posted(500, "status", 1))
    assert (health.at_most, health.is_left_alone) == (0, True)
    now = PAUSE_SECONDS + 1
    assert health.at_most == 1
    with health.guard():
        delivered(Posted(204, None, 1))
    assert (health.at_most, health.is_left_alone) == (8, False)
    health.leave_alone(10**9)
    assert health.at_most == 0
    now += 3601
    assert health.at_most == 8
