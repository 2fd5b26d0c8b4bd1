"""What arrives: every event, signed, in the order of its booking, and what becomes of failures."""

import asyncio
from datetime import datetime, timedelta
from functools import partial

import pytest
from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError
from structlog.typing import EventDict

from api.schemas.events import CloudEventBody
from infra.database import Database
from tests.api.conftest import Studio
from tests.webhooks.conftest import Hook, Json, Senders, execute, hook, lifted, once
from tests.webhooks.receiver import Received, Receiver


async def test_each_event_arrives_as_the_log_shows_it_and_is_signed(
    studio: Studio, receiver: Receiver, sending: Senders
) -> None:
    made = await hook(studio, receiver.url)
    stage = await studio.resource()
    await studio.booking(stage, customer={"id": "c-1", "name": "Canary"})
    async with sending():
        received = await receiver.come(2)

    log = (await studio.get("/v1/events")).json()["items"]
    assert [message.event for message in received] == log
    for message in received:
        CloudEventBody.model_validate(message.event)
        assert Webhook(made.secret).verify(message.body, message.headers) == message.event
        assert message.headers["content-type"] == "application/cloudevents+json"
        assert b"Canary" not in message.body
        with pytest.raises(WebhookVerificationError):
            Webhook(made.secret).verify(message.body + b" ", message.headers)
    assert len({message.headers["webhook-id"] for message in received}) == 2


async def test_a_command_is_heard_of_without_waiting_for_the_next_look(
    studio: Studio, receiver: Receiver, sending: Senders
) -> None:
    await hook(studio, receiver.url)
    async with sending(poll_seconds=3600):
        made = 0
        while not receiver.positions:  # what is said before anybody listens is not heard
            await studio.resource()
            made += 1
            await asyncio.sleep(0.1)
        for nth in range(made, made + 3):
            await studio.resource()
            await receiver.come(nth + 1)
    assert receiver.positions == [*range(1, made + 4)]


def at_once(monkeypatch: pytest.MonkeyPatch, tries: int = 9) -> None:
    """Have failures tried again without a pause."""
    monkeypatch.setattr("infra.webhooks.retrying.STEPS", (0.0,) * tries)


async def test_the_next_event_of_a_booking_waits_and_those_of_others_do_not(
    studio: Studio, receiver: Receiver, sending: Senders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.webhooks.retrying.STEPS", (3600.0,))
    monkeypatch.setattr("infra.webhooks.retrying._chance", Longest())
    stage = await studio.resource()
    first, second = [await lifted(studio, stage, hour) for hour in (9, 10)]
    refused = f"bookings/{first}"

    async def answer(message: Received) -> web.Response:
        return web.Response(status=500 if message.subject == refused else 204)

    receiver.answer = answer
    made = await hook(studio, receiver.url, after=0)
    async with sending():
        received = await receiver.come(5)
        assert [each.subject for each in received].count(refused) == 1
        states = await once_all(made, waiting=3)
    assert states == {
        "resources": ["delivered"],
        first: ["waiting", "waiting", "waiting"],
        second: ["delivered", "delivered", "delivered"],
    }
    [head, *behind] = [each for each in await made.deliveries() if each["subject"] == refused][::-1]
    assert (head["attempts"], head["last_status"], head["last_error"]) == (1, 500, "status")
    assert [each["attempts"] for each in behind] == [0, 0]


async def once_all(made: Hook, waiting: int) -> dict[str, list[str]]:
    await made.once(lambda told: told["waiting"] == waiting and told["position"] == 7)
    states: dict[str, list[str]] = {}
    for each in await made.deliveries():
        kind, _, thing = str(each["subject"]).partition("/")
        states.setdefault(thing if kind == "bookings" else kind, []).append(str(each["state"]))
    return states


class Longest:
    def uniform(self, _shortest: float, longest: float) -> float:
        return longest


async def test_what_fails_is_sent_again_under_the_same_id_until_it_is_delivered(
    studio: Studio, receiver: Receiver, sending: Senders, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once(monkeypatch)
    made = await hook(studio, receiver.url)
    receiver.answers(500, 302, 204, location=receiver.url)
    await studio.resource()
    async with sending():
        told = await made.delivered(1)
    assert [(each["attempt"], each["status"]) for each in told["tries"]] == [
        (3, 204), (2, 302), (1, 500),
    ]  # fmt: skip
    assert all(each["milliseconds"] >= 0 for each in told["tries"])
    assert {message.headers["webhook-id"] for message in receiver.received} == {told["message_id"]}
    assert len(receiver.received) == 3  # the redirect led nowhere
    assert (await made.read())["failing_since"] is None


async def test_what_fails_to_the_end_is_given_up_and_the_next_one_follows(
    studio: Studio, receiver: Receiver, sending: Senders, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once(monkeypatch, tries=2)
    made = await hook(studio, receiver.url)
    stage = await studio.resource()
    receiver.answers(500, 500, 500, 204)
    await studio.patch(f"/v1/resources/{stage}", {"name": "Other"})
    async with sending():
        await made.delivered(2)
    assert (await made.delivery(1))["state"] == "given_up"
    assert receiver.positions == [1, 1, 1, 2]
    assert [each["position"] for each in await made.deliveries("?state=given_up")] == [1]


async def test_who_asks_to_be_left_alone_is(
    studio: Studio, receiver: Receiver, sending: Senders
) -> None:
    async with Receiver().listening() as other, sending() as sender:
        for server, status in ((receiver, 429), (other, 503)):
            server.answers(status, Retry_After="120")
            await hook(studio, server.url)
        await studio.resource()
        for endpoint in (await studio.get("/v1/webhook-endpoints")).json()["items"]:
            made = Hook(studio, endpoint["id"], "")
            told = await once(
                partial(made.delivery, 1), lambda told: told["last_status"] in (429, 503)
            )
            tried, again = (
                datetime.fromisoformat(str(told[name]))
                for name in ("last_attempt_at", "next_attempt_at")
            )
            assert again - tried >= timedelta(seconds=119)
        assert [health.at_most for health in sender._health.values()] == [0, 0]


async def test_those_that_are_left_alone_are_counted_while_they_are_sent_to(
    studio: Studio, receiver: Receiver, sending: Senders
) -> None:
    receiver.answers(503, Retry_After="600")
    one, other = await hook(studio, receiver.url), await hook(studio, receiver.url)
    async with sending() as sender:

        async def counted() -> Json:
            return {"left_alone": sender.left_alone, "worked_on": len(sender._working)}

        await studio.resource()
        await once(counted, lambda told: told["left_alone"] == 2)
        await studio.resource()  # of which nothing is sent: nobody works on them meanwhile
        await sender._look_at_all()
        await once(counted, lambda told: not told["worked_on"])
        await studio.client.delete(one.path)
        await once(counted, lambda told: told["left_alone"] == 1)
        await other.change(enabled=False)
        await once(counted, lambda told: told["left_alone"] == 0)


async def test_at_another_address_what_waits_is_tried_at_once(
    studio: Studio, receiver: Receiver, sending: Senders
) -> None:
    receiver.answers(503, Retry_After="600")
    made = await hook(studio, receiver.url)
    await studio.resource()
    async with Receiver().listening() as other, sending():
        await made.once(lambda told: told["failing_since"] is not None)
        await made.change(url=other.url)
        await other.come(1)
        await made.delivered(1)
    assert len(receiver.received) == 1


async def test_410_disables_at_once_with_a_notice_and_nothing_is_lost(
    studio: Studio, receiver: Receiver, sending: Senders, log: list[EventDict]
) -> None:
    made = await hook(studio, receiver.url)
    receiver.answers(410)
    await studio.resource()
    async with sending():
        told = await made.once(lambda told: not told["enabled"])
        assert (told["disabled_reason"], told["waiting"]) == ("gone", 1)
        assert [each["notice"] for each in told["notices"]] == ["disabled: gone"]
        [line] = [line for line in log if line["event"] == "webhooks.endpoint_disabled"]
        assert (line["endpoint_id"], line["reason"]) == (made.id, "gone")
        await studio.resource()

        receiver.answers(204)
        told = await made.change(enabled=True)
        assert (told["disabled_reason"], told["disabled_at"]) == (None, None)
        await made.delivered(2)
    assert receiver.positions == [1, 1, 2]
    notices = [each["notice"] for each in (await made.read())["notices"]]
    assert notices == ["enabled", "disabled: gone"]


async def test_nothing_but_failures_for_five_days_disables(
    studio: Studio, receiver: Receiver, sending: Senders, database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    at_once(monkeypatch)
    made = await hook(studio, receiver.url)
    five_days_later = asyncio.Event()

    async def answer(_message: Received) -> web.Response:
        if len(receiver.received) > 1:
            await five_days_later.wait()
        return web.Response(status=500)

    receiver.answer = answer
    await studio.resource()
    async with sending():
        await made.once(lambda told: told["failing_since"] is not None)
        execute(
            database,
            "update booking.webhook_endpoint set failing_since = failing_since - interval '5 days'",
        )
        five_days_later.set()
        told = await made.once(lambda told: not told["enabled"])
    assert told["disabled_reason"] == "failing"
    assert told["waiting"] == 1


async def test_a_dead_endpoint_is_left_alone_after_a_few_failures(
    studio: Studio, receiver: Receiver, sending: Senders, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once(monkeypatch)
    receiver.answers(500)
    made = await hook(studio, receiver.url)
    for _ in range(10):
        await studio.resource()
    async with sending() as sender:
        await receiver.come(5)
        [health] = sender._health.values()
        await made.once(lambda _told: health.is_left_alone)
        assert health.at_most == 0
        for _ in range(3):
            await sender._look_at_all()
    assert len(receiver.received) == 5


async def test_one_that_hangs_holds_up_no_other(
    studio: Studio, other_studio: Studio, receiver: Receiver, sending: Senders
) -> None:
    hung, over = asyncio.Event(), asyncio.Event()

    async def hang(_message: Received) -> web.Response:
        hung.set()
        await over.wait()
        return web.Response(status=204)

    async with Receiver().listening() as dead:
        dead.answer = hang
        for each in (studio, other_studio):
            await hook(each, dead.url)
            await hook(each, receiver.url)
        async with sending():
            for _ in range(8):
                await studio.resource()
            await hung.wait()
            for _ in range(20):
                await studio.resource()
                await other_studio.resource()
            await receiver.come(48)
            assert len(dead.received) == 2  # one of each tenant's endpoints, that tries
            over.set()


async def test_two_senders_share_the_messages_in_order(
    studio: Studio, receiver: Receiver, sending: Senders
) -> None:
    await hook(studio, receiver.url, after=0)
    stage = await studio.resource()
    for hour in range(8):
        await lifted(studio, stage, hour)
    async with sending(), sending():
        received = await receiver.come(25)
    assert sorted(receiver.positions) == list(range(1, 26))
    for subject in {message.subject for message in received}:
        positions = [message.position for message in received if message.subject == subject]
        assert positions == sorted(positions)


async def test_only_the_types_that_are_asked_for_are_sent(
    studio: Studio, receiver: Receiver, sending: Senders
) -> None:
    made = await hook(studio, receiver.url, topics=["booking.confirmed"])
    await lifted(studio, await studio.resource(), 9)
    async with sending():
        await receiver.come(1)
        await made.once(lambda told: told["position"] == 4)
    assert [message.event["type"] for message in receiver.received] == ["booking.confirmed"]
